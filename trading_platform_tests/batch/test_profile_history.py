"""The height of rows looks back only, and stays the same for a month."""

from datetime import date

import numpy as np
import polars as pl
import pytest
import talib

from trading_platform.batch.profile_history import day_atrs, row_ticks_of, tick_size_of


def days(*ranges: tuple[date, float]) -> pl.DataFrame:
    rows = [(session, 100.0 + spread, 100.0) for session, spread in ranges]
    return pl.DataFrame(rows, schema=["session", "high", "low"], orient="row")


@pytest.mark.parametrize(
    ("prices", "step"),
    [
        ([100.05, 99.95], 0.05),
        ([100.05, 99.96], 0.01),
        ([84.0025, 84.005], 0.0025),
        ([100.5, 99.0], 0.5),
        ([100.123456], 0.0001),
    ],
)
def test_the_step_is_that_on_which_all_prices_lie(prices: list[float], step: float) -> None:
    assert tick_size_of(pl.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices))) == step


def test_a_month_goes_by_the_median_of_the_month_before() -> None:
    known = days(
        (date(2026, 5, 4), 90), (date(2026, 6, 1), 12), (date(2026, 6, 2), 24), (date(2026, 6, 3), 40),
        (date(2026, 7, 1), 3), (date(2026, 7, 2), 99),
    )  # fmt: skip
    # 481 ticks of 0.05 in at most 120 rows
    assert {row_ticks_of(known, date(2026, 7, day), 0.05) for day in (1, 2, 31)} == {5}
    assert row_ticks_of(known, date(2026, 6, 2), 0.05) == 16


def test_without_a_month_before_the_first_session_of_this_one_says_it() -> None:
    known = days((date(2026, 7, 1), 12), (date(2026, 7, 2), 60), (date(2026, 7, 3), 600))
    assert [row_ticks_of(known, date(2026, 7, day), 0.05) for day in (1, 2, 3)] == [3, 3, 3]
    assert row_ticks_of(known, date(2026, 6, 30), 0.05) is None


def test_the_atr_of_a_session_is_that_of_the_sessions_before() -> None:
    random = np.random.default_rng(3)
    close = 100 + random.normal(0, 2, 30).cumsum()
    high, low = close + random.random(30), close - random.random(30)
    found = day_atrs(high, low, close)
    assert np.isnan(found[:15]).all()
    np.testing.assert_allclose(found[15:], talib.ATR(high, low, close, 14)[14:], rtol=1e-9)
