from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from trading_platform.batch.volume_cubes import span_of, volume_cube
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.market.clock import IST
from trading_platform.market.corporate_actions import CorporateAction, CorporateActions
from trading_platform.market.session_kinds import PhaseKind

DAYS = (date(2026, 7, 28), date(2026, 7, 29))
SCHEMA = {
    "session": pl.Date,
    "symbol": pl.String,
    "kind": pl.Int32,
    "start": pl.Datetime("us", "Asia/Kolkata"),
    "close": pl.Float64,
    "volume": pl.Int64,
}


def row(day: date, minute: int, volume: int | None, kind: PhaseKind = PhaseKind.CONTINUOUS) -> tuple[object, ...]:
    start = datetime(day.year, day.month, day.day, tzinfo=IST) + timedelta(minutes=minute)
    return day, "ABC", int(kind), start, 100.0 + minute, volume


def frame(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_bars_stand_in_their_minute_and_auctions_apart() -> None:
    bars = frame(
        row(DAYS[0], 547, 40, PhaseKind.PRE_OPEN),
        row(DAYS[0], 548, 2, PhaseKind.PRE_OPEN),
        row(DAYS[0], 556, 5),
        row(DAYS[0], 557, None),
        row(DAYS[1], 563, 7),
        row(DAYS[1], 930, 9, PhaseKind.CLOSING_AUCTION),
    )
    cube = volume_cube(bars, sessions=DAYS, symbols=["ABC"], span=span_of(bars))
    assert (cube.first_minute, cube.minutes.shape) == (555, (2, 1, 10))
    assert (cube.minutes[0, 0, 1], cube.minutes[1, 0, 8]) == (5.0, 7.0)
    assert np.nansum(cube.minutes) == 12.0
    assert np.argwhere(cube.present).tolist() == [[0, 0, 1], [0, 0, 2], [1, 0, 8]]
    np.testing.assert_array_equal(cube.opening_auction, [[42.0], [np.nan]])
    np.testing.assert_array_equal(cube.closing_auction, [[np.nan], [9.0]])
    assert cube.day_volumes.tolist() == [[47.0], [16.0]]
    assert cube.closes.tolist() == [[657.0], [1030.0]]


def test_a_history_is_adjusted_and_the_cube_is_not() -> None:
    bars = frame(row(DAYS[0], 555, 5), row(DAYS[0], 547, 4, PhaseKind.PRE_OPEN), row(DAYS[1], 555, 50))
    cube = volume_cube(bars, sessions=DAYS, symbols=["ABC"], span=span_of(bars))
    actions = CorporateActions((CorporateAction("ABC", DAYS[1], "split", 10.0, "made up"),))
    history = cube.history(actions, [0, 1], DAYS[1] + timedelta(days=1))
    assert history.minutes[:, 0, 0].tolist() == [50.0, 50.0]
    assert history.opening_auction[0, 0] == 40.0
    assert history.adjusted.tolist() == [True]
    assert cube.minutes[0, 0, 0] == 5.0
    assert not cube.history(actions, [1], DAYS[1] + timedelta(days=1)).adjusted.any()


def test_no_bars_have_no_span() -> None:
    assert span_of(frame()) == (0, 0)


def test_a_bar_that_began_with_a_snapshot_tells_that_its_session_was_not_seen_whole() -> None:
    bars = frame(row(DAYS[0], 555, 5), row(DAYS[1], 600, 50)).with_columns(flags=pl.Series([0, int(BarFlag.SNAPSHOT)]))
    cube = volume_cube(bars, sessions=DAYS, symbols=["ABC"], span=span_of(bars))
    assert cube.whole.tolist() == [[True], [False]]


def test_a_name_that_two_exchanges_list_has_two_rows() -> None:
    bars = frame(row(DAYS[0], 555, 5), row(DAYS[0], 555, 7)).with_columns(token=pl.Series([257, 260]))
    cube = volume_cube(bars, sessions=DAYS, symbols=["ABC", "ABC"], span=span_of(bars), tokens=[257, 260])
    assert cube.minutes[0, :, 0].tolist() == [5.0, 7.0]
    actions = CorporateActions((CorporateAction("ABC", DAYS[1], "split", 10.0, "made up"),))
    assert cube.factors(actions, [0], DAYS[1]).tolist() == [[10.0, 10.0]]
