from datetime import date

import numpy as np
import polars as pl

from trading_platform.batch.past_volumes import past_volumes
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.market.sessions import SessionClass
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, TCS, instruments, minute_bars

PAST = [date(2026, 7, 28), date(2026, 7, 29)]
WANTED = dict.fromkeys(SessionClass, PAST)
OPENS = {SessionClass.NSE_CASH: 555, SessionClass.NSE_INDEX: 555}


def bars() -> list[pl.DataFrame]:
    """Two sessions of two names and an index; of the second, INFY was first seen at 09:17, and a print came before."""
    late = minute_bars(PAST[1], INFY, "INFY", closes=[1.0, 1.0], volumes=[5, None], first=(9, 17)).with_columns(
        flags=pl.when(pl.col("volume") == 5).then(int(BarFlag.SNAPSHOT)).otherwise(0).cast(pl.Int64)
    )
    print_ = minute_bars(PAST[1], TCS, "TCS", closes=[1.0, 1.0], volumes=[30, 40], first=(9, 7), kind=1)
    one = minute_bars(PAST[0], INFY, "INFY", closes=[1.0] * 3, volumes=[1, 2, 3])
    two = minute_bars(PAST[0], TCS, "TCS", closes=[1.0] * 7, volumes=[9] * 7)
    index = minute_bars(PAST[0], NIFTY, "NIFTY", closes=[1.0])
    return [pl.concat([one, two, index]), pl.concat([late, print_])]


def test_each_bar_stands_in_its_session_row_and_minute() -> None:
    index, cash = sorted(
        past_volumes(bars(), instruments(), session=SESSION, wanted=WANTED, opens=OPENS),
        key=lambda one: len(one.tokens),
    )
    assert (index.tokens.tolist(), index.cube.symbols) == ([NIFTY], ("NIFTY",))
    assert np.isnan(index.cube.minutes).all()
    cube = cash.cube
    assert (cash.tokens.tolist(), cube.symbols, cube.sessions) == ([INFY, TCS], ("INFY", "TCS"), tuple(PAST))
    nan = np.nan
    wanted = [[[1, 2, 3, *[nan] * 4], [9] * 7], [[nan, nan, 5, *[nan] * 4], [nan] * 7]]
    np.testing.assert_array_equal(cube.minutes, wanted)
    assert cube.present[1, 0].tolist() == [False, False, True, True, False, False, False]
    assert cube.whole.tolist() == [[True, True], [False, True]]
    np.testing.assert_array_equal(cube.opening_auction, [[nan, nan], [nan, 70.0]])
    assert not cash.options.any()
    assert cube.first_minute == 555


def test_only_sessions_that_the_class_wants_count() -> None:
    wanted = {SessionClass.NSE_CASH: PAST[1:]}
    (cash,) = past_volumes(bars(), instruments(), session=SESSION, wanted=wanted, opens=OPENS)
    assert cash.cube.sessions == (PAST[1],)
    assert past_volumes(bars(), instruments(), session=SESSION, wanted={}, opens=OPENS) == []


def test_curves_begin_when_the_class_opens_even_where_no_bar_is_that_early() -> None:
    late = minute_bars(PAST[0], INFY, "INFY", closes=[1.0], volumes=[7], first=(9, 48))
    for opens, first in ((OPENS, 555), ({}, 585)):
        (one,) = past_volumes([late], instruments(), session=SESSION, wanted=WANTED, opens=opens)
        assert one.cube.first_minute == first
        assert one.cube.minutes[0, 0, 588 - first] == 7.0


def test_options_are_told_by_their_kind() -> None:
    listed = instruments(INFY=INFY, INFY26JUL1500CE=(5000 * 256 + 2)).with_columns(
        instrument_type=pl.when(pl.col("symbol") == "INFY").then(pl.lit("EQ")).otherwise(pl.lit("CE")),
        segment=pl.when(pl.col("symbol") == "INFY").then(pl.lit("NSE")).otherwise(pl.lit("NFO-OPT")),
        exchange=pl.when(pl.col("symbol") == "INFY").then(pl.lit("NSE")).otherwise(pl.lit("NFO")),
        name=pl.lit("INFY"),
        expiry=pl.when(pl.col("symbol") == "INFY").then(None).otherwise(pl.lit(date(2026, 7, 30))),
    )
    option = minute_bars(PAST[0], None, "INFY26JUL1500CE", closes=[1.0], volumes=[7])
    stock = minute_bars(PAST[0], INFY, "INFY", closes=[1.0], volumes=[7])
    found = past_volumes([pl.concat([option, stock])], listed, session=SESSION, wanted=WANTED, opens=OPENS)
    assert {one.cube.symbols: one.options.tolist() for one in found} == {
        ("INFY",): [False],
        ("INFY26JUL1500CE",): [True],
    }
