"""Metadata is small and readable."""

from datetime import date, timedelta

from trading_platform.batch.plots import MAX_BYTES
from trading_platform.orchestration.metadata import dates, facts, picture, table_metadata, written
from trading_platform.wire.lake_tables import PATTERNS


def test_the_column_schema_is_the_table() -> None:
    columns = table_metadata(PATTERNS)["dagster/column_schema"].columns
    assert [column.name for column in columns] == list(PATTERNS.schema)


def test_a_picture_that_is_too_large_is_replaced_by_a_sentence() -> None:
    assert picture(b"png").value == "![plot](data:image/png;base64,cG5n)"
    assert "more than" in picture(b"x" * (MAX_BYTES + 1)).value


def test_many_sessions_are_named_by_their_ends() -> None:
    days = [date(2026, 1, 1) + timedelta(days=after) for after in range(40)]
    assert dates(days) == "40 from 2026-01-01 to 2026-02-09"
    assert dates(days[:2]) == "2026-01-01, 2026-01-02"
    assert dates([]) == "none"


def test_rows_and_facts() -> None:
    assert written(3, source="ticks") == {"dagster/row_count": 3, "source": "ticks"}
    assert facts({"bars without a row": 1}) == {"bars_without_a_row": 1}
