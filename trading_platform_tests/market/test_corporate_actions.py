from datetime import date

import pytest

from trading_platform.errors import BadFileError
from trading_platform.market.corporate_actions import (
    COLUMNS,
    CorporateActions,
    corporate_actions_from,
    load_corporate_actions,
)

HEAD = ",".join(COLUMNS)


def table(*rows: str) -> CorporateActions:
    return corporate_actions_from("\n".join([HEAD, *rows]), "actions.csv")


def test_a_factor_counts_from_its_ex_date_on() -> None:
    actions = table("ABC,2026-07-15,bonus,2,notice 1", "ABC,2026-07-20,split,5,notice 2", "XYZ,2026-07-15,split,10,n")
    assert actions.factor("ABC", date(2026, 7, 14), date(2026, 7, 14)) == 1.0
    assert actions.factor("ABC", date(2026, 7, 14), date(2026, 7, 15)) == 2.0
    assert actions.factor("ABC", date(2026, 7, 15), date(2026, 7, 19)) == 1.0
    assert actions.factor("ABC", date(2026, 7, 14), date(2026, 7, 20)) == 10.0
    assert actions.symbols(date(2026, 7, 15), date(2026, 7, 20)) == {"ABC"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("ABC,2026-07-15,bonus,2,", "line 2 lacks source"),
        ("ABC,15-07-2026,bonus,2,n", "line 2: .*15-07-2026"),
        ("ABC,2026-07-15,dividend,2,n", "kind 'dividend' is none of split"),
        ("ABC,2026-07-15,bonus,0,n", "must be above 0"),
        ("ABC,2026-07-15,bonus,nan,n", "must be above 0"),
        ("ABC,2026-07-15,bonus,two,n", "line 2: .*two"),
    ],
)
def test_a_row_that_is_none_is_named(row: str, words: str) -> None:
    with pytest.raises(BadFileError, match=words):
        table(row)


def test_other_columns_and_repeated_actions_are_refused() -> None:
    with pytest.raises(BadFileError, match="must have symbol, ex_date"):
        corporate_actions_from("symbol,date\n", "actions.csv")
    with pytest.raises(BadFileError, match="names the split of ABC on 2026-07-15 twice"):
        table("ABC,2026-07-15,split,2,n", "ABC,2026-07-15,split,2,m")


def test_the_table_that_is_shipped_can_be_read() -> None:
    assert all(row.source for row in load_corporate_actions().rows)
