"""Tables take what fits them, in their own order, and refuse the rest by name."""

import polars as pl
import pytest

from trading_platform.errors import LakeError
from trading_platform.wire.lake_tables import IMPORTED_BARS, TABLES, table_named


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_begins_with_its_session_and_has_its_key(table: object) -> None:
    names = [column.name for column in table.columns]
    assert names[0] == "session"
    assert set(table.key) <= set(names)
    assert len(set(names)) == len(names)
    assert table.about.endswith(".")
    assert all(column.about.endswith(".") for column in table.columns)


def test_rows_are_put_in_order_and_nan_is_null() -> None:
    schema = IMPORTED_BARS.schema
    row = dict.fromkeys(reversed(list(schema))) | {"open": float("nan"), "volume": 3}
    conformed = IMPORTED_BARS.conform(pl.DataFrame([row]))
    assert conformed.schema == schema
    assert conformed.select("open", "volume").row(0) == (None, 3)


def test_a_number_that_does_not_fit_is_refused() -> None:
    row = dict.fromkeys(IMPORTED_BARS.schema) | {"volume": "many"}
    with pytest.raises(LakeError, match="do not fit its types"):
        IMPORTED_BARS.conform(pl.DataFrame([row]))


def test_missing_and_foreign_columns_are_named() -> None:
    row = dict.fromkeys(IMPORTED_BARS.schema) | {"extra": 1}
    del row["close"]
    with pytest.raises(LakeError, match=r"lack \['close'\], have \['extra'\] more"):
        IMPORTED_BARS.conform(pl.DataFrame([row]))


def test_unknown_tables_are_named() -> None:
    with pytest.raises(LakeError, match="no table 'prices'"):
        table_named("prices")
