"""Baselines: what sessions of the same kind say is usual, and what the model expects, for today's tokens."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.baselines import Baselines, comparable_sessions, sessions_wanted, volume_baselines
from trading_platform.calc.volume_baseline import BaselineBlock
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.wire.lake_tables import MINUTE_BARS, VOLUME_BASELINES
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, instruments, minute_bars, moment
from trading_platform_tests.calc.volume.made import made_volumes

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


def test_three_sessions_are_too_few_for_the_model_and_their_medians_stand_in_by_hand() -> None:
    made = volume_baselines(
        [bars([[10, 1, None], [20, 2, None], [90, 3, 7]])],
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
    assert set(minutes["model"]) == {"median20"}
    assert set(minutes["reason"]) == {"3 past sessions with volume: 4 are needed"}
    # a mean is that of all sessions: in the last minute two of them traded nothing
    assert minutes["expected_mean"].to_list() == [40.0, 2.0, 7.0 / 3.0]
    # of five minutes: 10+1, 20+2, 90+3+7
    five = rows.filter(pl.col("interval") == 5)
    assert five.select("bucket_start", "expected_median", "sessions_used").rows() == [(555, 22.0, 3)]
    assert set(rows["symbol"]) == {"INFY"}
    assert set(rows["baseline_version"]) == {made.sha256[:16]}


def test_the_block_says_what_the_table_says() -> None:
    made = volume_baselines(
        [bars([[10, 0], [20, 0], [30, 0]])], instruments(), session=SESSION, wanted=wanted(), min_sessions=3
    )
    block = BaselineBlock.decode(made.content)
    assert (block.session, block.first_minute, block.sessions_used) == (SESSION, 555, tuple(PAST))
    assert block.tokens.tolist() == [INFY]
    np.testing.assert_array_equal(block.expected[1], [[20.0, np.nan]])
    np.testing.assert_array_equal(block.expected[5], [[20.0]])


def test_a_first_minute_off_the_grid_of_longer_bars_is_aligned() -> None:
    late = pl.concat([minute_bars(day, INFY, "INFY", closes=[1.0], volumes=[7], first=(9, 18)) for day in PAST])
    made = volume_baselines([late], instruments(), session=SESSION, wanted=wanted(), min_sessions=1)
    assert made.block.first_minute == 555
    assert made.block.expected[1][0].tolist()[3] == 7.0
    assert made.block.expected[5][0].tolist() == [7.0]


def test_an_index_without_volume_has_no_baseline_and_does_not_stop_others() -> None:
    both = pl.concat([bars([[5], [5], [5]]), bars([[None]] * 3, "NIFTY", NIFTY)])
    made = volume_baselines([both], instruments(), session=SESSION, wanted=wanted(), min_sessions=1)
    index = VOLUME_BASELINES.conform(made.rows).filter(symbol="NIFTY")
    assert index.select("interval", "expected_median", "expected_mean", "model", "reason").rows() == [
        (1, None, None, "none", "no volume in any past session")
    ]
    assert np.isnan(made.block.expected[1][list(made.block.tokens).index(NIFTY)]).all()


def test_sessions_that_a_class_does_not_want_are_left_out() -> None:
    only = {SessionClass.NSE_CASH: PAST[:2]}
    made = volume_baselines([bars([[10], [30], [1000]])], instruments(), session=SESSION, wanted=only, min_sessions=1)
    assert made.block.expected[1][0, 0] == 20.0
    assert made.block.sessions_used == tuple(PAST[:2])


def test_bars_of_a_past_token_count_for_the_symbol() -> None:
    made = volume_baselines(
        [bars([[10], [20], [30]], token=777 * 256 + 1)], instruments(), session=SESSION, wanted=wanted(), min_sessions=1
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


NAMES = tuple(f"SYM{k}" for k in range(8))
TOKENS = {name: (1000 + k) * 256 + 1 for k, name in enumerate(NAMES)}
LONG_PAST = comparable_sessions(TABLE, SessionClass.NSE_CASH_FNO, SESSION, 12)
VOLUME = made_volumes(len(NAMES), len(LONG_PAST), 30)


def parts_of(volume: NDArray[np.float64], days: list[date]) -> list[pl.DataFrame]:
    """Return bars of these volumes (symbols, sessions, minutes), a part a session."""
    parts = []
    for place, day in enumerate(days):
        row, minute = np.nonzero(~np.isnan(volume[:, place]))
        starts = [moment(day, 9, 15) + timedelta(minutes=at) for at in range(volume.shape[2])]
        named = {"symbol": [NAMES[k] for k in row], "start": [starts[k] for k in minute]}
        many = pl.DataFrame({**named, "volume": volume[row, place, minute].astype(int)})
        one = minute_bars(day, None, NAMES[0], closes=[1.0]).drop(many.columns)
        parts.append(MINUTE_BARS.conform(one.join(many, how="cross")))
    return parts


def modelled(parts: list[pl.DataFrame], tokens: dict[str, int]) -> Baselines:
    return volume_baselines(
        parts, instruments(**tokens), session=SESSION, wanted=sessions_wanted(TABLE, SESSION, 12), min_sessions=10
    )


PARTS = parts_of(VOLUME, LONG_PAST)


def test_the_model_forecasts_each_bar_and_the_block_says_what_the_table_says() -> None:
    made = modelled(PARTS, TOKENS)
    rows = VOLUME_BASELINES.conform(made.rows)
    assert set(rows["model"]) <= {"published_panel", "published_filter"}
    assert rows["reason"].null_count() == rows.height
    known = ("expected_median", "expected_mean", "q10", "q25", "q75", "q90")
    assert rows.select(known).null_count().row(0) == (0,) * len(known)
    assert rows.select((pl.col("q10") < pl.col("q25")) & (pl.col("q25") < pl.col("expected_median"))).to_series().all()
    assert rows.select((pl.col("q90") > pl.col("q75")) & (pl.col("q75") > pl.col("expected_median"))).to_series().all()
    lengths = rows.group_by("interval").agg(pl.len(), pl.col("bucket_start").min()).sort("interval")
    assert lengths.rows() == [(n, len(NAMES) * 30 // n, 555) for n in (1, 3, 5, 15, 30)] + [(60, len(NAMES), 555)]
    sums = rows.group_by("interval", "token").agg(pl.col("expected_mean").sum()).sort("interval", "token")
    by_length = sums["expected_mean"].to_numpy().reshape(6, -1)
    np.testing.assert_allclose(by_length, np.tile(by_length[0], (6, 1)), rtol=1e-9)
    # what is made has no trend: means of the past are near
    usual = VOLUME.mean(axis=1).sum(axis=1)
    assert abs(np.log(by_length[0] / usual)).mean() < 0.2
    block = BaselineBlock.decode(made.content)
    assert block.tokens.tolist() == sorted(TOKENS.values())
    for interval in (1, 5):
        mine = rows.filter(interval=interval).sort("token", "bucket_start")["expected_median"].to_numpy()
        np.testing.assert_array_equal(block.expected[interval].ravel(), mine)
        assert block.live is not None
        assert np.isfinite(block.live[interval]).all()


def test_the_order_of_parts_and_tokens_changes_no_number() -> None:
    one = modelled(PARTS, TOKENS)
    assert modelled([pl.concat(PARTS[::-1])], TOKENS).content == one.content
    turned = dict(zip(NAMES, reversed(TOKENS.values()), strict=True))
    other = modelled(PARTS, turned).block
    np.testing.assert_array_equal(other.expected[1][::-1], one.block.expected[1])


def test_nothing_of_the_session_or_later_is_looked_at() -> None:
    later = TABLE.sessions(SessionClass.NSE_CASH_FNO, SESSION, date(2026, 8, 5))
    noise = np.exp(np.random.default_rng(5).uniform(0.0, 18.0, (len(NAMES), len(later), 30)))
    first = modelled(PARTS, TOKENS)
    for after in (noise, noise[::-1] * 7.0):
        other = modelled([*PARTS, *parts_of(after, later)], TOKENS)
        assert other.content == first.content
        assert other.rows.equals(first.rows)
    assert first.block.sessions_used[-1] < SESSION
