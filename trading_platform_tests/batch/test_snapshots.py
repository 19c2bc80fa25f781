"""Snapshots: a replay's indicators as they are, or indicators computed from imported bars."""

from datetime import date

import numpy as np
import polars as pl
import pytest
import talib

from trading_platform.batch.baselines import volume_baselines
from trading_platform.batch.seeds import indicator_seeds
from trading_platform.batch.snapshots import snapshots_of_bars, snapshots_of_replay, version_text
from trading_platform.market.sessions import SessionClass
from trading_platform.wire.lake_tables import INDICATOR_SEEDS, INDICATOR_SNAPSHOTS, VOLUME_BASELINES
from trading_platform.wire.lake_volume import VOLUME_FIELDS
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, instruments, minute_bars, moment

BEFORE = date(2026, 7, 29)


def walk(seed: int, count: int) -> list[float]:
    return (500.0 + np.cumsum(np.random.default_rng(seed).normal(0, 1, count))).round(2).tolist()


@pytest.fixture(scope="module")
def made() -> tuple[pl.DataFrame, list[float], list[float]]:
    past, today = walk(1, 100), walk(2, 60)
    history = minute_bars(BEFORE, INFY, "INFY", closes=past, volumes=[10] * 100)
    wanted = {one: [BEFORE] for one in SessionClass}
    seeds = INDICATOR_SEEDS.conform(indicator_seeds(history, instruments(), session=SESSION).rows)
    baselines = VOLUME_BASELINES.conform(
        volume_baselines([history], instruments(), session=SESSION, wanted=wanted, min_sessions=1).rows
    )
    bars = pl.concat(
        [
            minute_bars(SESSION, INFY, "INFY", closes=today, volumes=[25] * 60),
            minute_bars(SESSION, None, "UNLISTED", closes=[1.0]),
            minute_bars(SESSION, NIFTY, "NIFTY", closes=[1.0, 2.0]),
        ]
    )
    rows = snapshots_of_bars(bars, seeds, baselines, session=SESSION)
    return INDICATOR_SNAPSHOTS.conform(rows), past, today


def test_indicators_go_on_where_the_seeds_ended(made: tuple[pl.DataFrame, list[float], list[float]]) -> None:
    rows, past, today = made
    minutes = rows.filter((pl.col("interval") == 1) & (pl.col("symbol") == "INFY")).sort("start")
    close = np.array(past + today)
    np.testing.assert_allclose(minutes["ema_20"], talib.EMA(close, 20)[100:], rtol=1e-12)
    np.testing.assert_allclose(minutes["rsi_14"], talib.RSI(close, 14)[100:], rtol=1e-9)
    np.testing.assert_allclose(minutes["atr_14"], talib.ATR(close + 1, close - 1, close, 14)[100:], rtol=1e-9)


def test_relative_volume_is_volume_over_its_baseline(made: tuple[pl.DataFrame, list[float], list[float]]) -> None:
    rows = made[0].filter(pl.col("symbol") == "INFY")
    minutes = rows.filter(pl.col("interval") == 1)
    assert set(minutes["expected_volume"]) == {10.0}
    assert set(minutes["rvol_bar"]) == {2.5}
    five = rows.filter(pl.col("interval") == 5)
    assert set(five["expected_volume"]) == {50.0}
    assert five.height == 12


def test_what_bars_cannot_tell_stays_null(made: tuple[pl.DataFrame, list[float], list[float]]) -> None:
    rows = made[0]
    assert rows["vwap"].null_count() == rows.height
    assert rows["record"].null_count() == rows.height
    assert set(rows["symbol"]) == {"INFY", "NIFTY"}


def test_an_index_names_the_version_in_use_without_a_value(
    made: tuple[pl.DataFrame, list[float], list[float]],
) -> None:
    index = made[0].filter(pl.col("symbol") == "NIFTY")
    assert index["rvol_bar"].null_count() == index.height == 3
    assert index["baseline_version"].unique().to_list() == made[0]["baseline_version"].unique().to_list()
    assert index["baseline_version"].null_count() == 0


def test_a_replay_keeps_its_values_and_writes_versions_as_text() -> None:
    replayed = pl.DataFrame(
        {
            "session": [SESSION] * 2,
            "token": [INFY] * 2,
            "symbol": ["INFY"] * 2,
            "interval": [1, 1],
            "start": [moment(SESSION, 9, 15), moment(SESSION, 9, 16)],
            "revision": [0, 0],
            "ema_20": [None, 2.0],
            "rsi_14": [None, 50.0],
            "atr_14": [None, 1.0],
            "vwap": [1.0, 1.5],
            "rvol_bar": [None, 3.0],
            "expected_volume": [None, 3.0],
            "baseline_version": pl.Series([0, 0xFEDCBA9876543210], dtype=pl.UInt64),
            "record": [5, 6],
            **{column.name: [None, 1] for column in VOLUME_FIELDS},
        }
    )
    rows = INDICATOR_SNAPSHOTS.conform(snapshots_of_replay(replayed))
    assert rows["baseline_version"].to_list() == [None, "fedcba9876543210"]
    assert rows["vwap"].to_list() == [1.0, 1.5]


def test_version_text_has_sixteen_digits() -> None:
    frame = pl.DataFrame({"baseline_version": pl.Series([255], dtype=pl.UInt64)})
    assert frame.select(version_text(pl.col("baseline_version"))).item() == "00000000000000ff"
