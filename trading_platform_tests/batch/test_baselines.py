"""Baselines: medians of the same minute over sessions of the same kind, for today's tokens."""

from datetime import date

import numpy as np
import polars as pl

from trading_platform.batch.baselines import comparable_sessions, sessions_wanted, volume_baselines
from trading_platform.calc.volume_baseline import BaselineBlock
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.wire.lake_tables import VOLUME_BASELINES
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, instruments, minute_bars

TABLE = load_session_table()
PAST = [date(2026, 7, 27), date(2026, 7, 28), date(2026, 7, 29)]


def wanted() -> dict[SessionClass, list[date]]:
    return dict.fromkeys(SessionClass, PAST)


def bars(volumes: list[list[int | None]], symbol: str = "INFY", token: int | None = INFY) -> pl.DataFrame:
    return pl.concat(
        [
            minute_bars(day, token, symbol, closes=[100.0] * len(row), volumes=row)
            for day, row in zip(PAST, volumes, strict=True)
        ]
    )


def test_medians_by_hand() -> None:
    made = volume_baselines(
        bars([[10, 1, None], [20, 2, None], [90, 3, 7]]),
        instruments(),
        session=SESSION,
        wanted=wanted(),
        min_sessions=2,
    )
    rows = VOLUME_BASELINES.conform(made.rows)
    minutes = rows.filter(pl.col("interval") == 1).sort("bucket_start")
    assert minutes.select("bucket_start", "expected_median", "sessions_used").rows() == [
        (555, 20.0, 3),
        (556, 2.0, 3),
        (557, None, 1),
    ]
    # of five minutes: 10+1, 20+2, 90+3+7
    five = rows.filter(pl.col("interval") == 5)
    assert five.select("bucket_start", "expected_median", "sessions_used").rows() == [(555, 22.0, 3)]
    assert set(rows["symbol"]) == {"INFY"}
    assert set(rows["baseline_version"]) == {made.sha256[:16]}


def test_the_block_says_what_the_table_says() -> None:
    made = volume_baselines(
        bars([[10, 0], [20, 0], [30, 0]]), instruments(), session=SESSION, wanted=wanted(), min_sessions=3
    )
    block = BaselineBlock.decode(made.content)
    assert (block.session, block.first_minute, block.sessions_used) == (SESSION, 555, tuple(PAST))
    assert block.tokens.tolist() == [INFY]
    np.testing.assert_array_equal(block.expected[1], [[20.0, np.nan]])
    np.testing.assert_array_equal(block.expected[5], [[20.0]])


def test_a_first_minute_off_the_grid_of_longer_bars_is_aligned() -> None:
    late = pl.concat([minute_bars(day, INFY, "INFY", closes=[1.0], volumes=[7], first=(9, 18)) for day in PAST])
    made = volume_baselines(late, instruments(), session=SESSION, wanted=wanted(), min_sessions=1)
    assert made.block.first_minute == 555
    assert made.block.expected[1][0].tolist()[3] == 7.0
    assert made.block.expected[5][0].tolist() == [7.0]


def test_an_index_without_volume_has_no_baseline_and_does_not_stop_others() -> None:
    both = pl.concat([bars([[5], [5], [5]]), bars([[None]] * 3, "NIFTY", NIFTY)])
    made = volume_baselines(both, instruments(), session=SESSION, wanted=wanted(), min_sessions=1)
    assert set(made.rows["symbol"]) == {"INFY"}
    assert np.isnan(made.block.expected[1][list(made.block.tokens).index(NIFTY)]).all()


def test_sessions_that_a_class_does_not_want_are_left_out() -> None:
    only = {SessionClass.NSE_CASH: PAST[:2]}
    made = volume_baselines(bars([[10], [30], [1000]]), instruments(), session=SESSION, wanted=only, min_sessions=1)
    assert made.block.expected[1][0, 0] == 20.0
    assert made.block.sessions_used == tuple(PAST[:2])


def test_bars_of_a_past_token_count_for_the_symbol() -> None:
    made = volume_baselines(
        bars([[10], [20], [30]], token=777 * 256 + 1), instruments(), session=SESSION, wanted=wanted(), min_sessions=1
    )
    assert made.block.tokens.tolist() == [INFY]


def test_closing_auction_days_are_not_compared_with_days_without() -> None:
    # the closing auction began on 2026-08-03 (circular NSE/CMTR of the session table)
    days = comparable_sessions(TABLE, SessionClass.NSE_CASH_FNO, date(2026, 8, 7), 20)
    assert days == [date(2026, 8, 3), date(2026, 8, 4), date(2026, 8, 5), date(2026, 8, 6)]


def test_comparable_sessions_count_sessions_not_days() -> None:
    days = comparable_sessions(TABLE, SessionClass.NSE_CASH_FNO, SESSION, 20)
    assert len(days) == 20
    assert days[-1] == date(2026, 7, 29)
    assert all(TABLE.is_session(SessionClass.NSE_CASH_FNO, day) for day in days)


def test_every_open_class_wants_its_own_sessions() -> None:
    found = sessions_wanted(TABLE, SESSION, 3)
    assert SessionClass.NSE_DERIVATIVES in found
    assert all(len(days) <= 3 for days in found.values())
