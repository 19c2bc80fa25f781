"""Indicators after each bar of a session: as the replay of a journal gives them, or from bars that were imported."""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.bars import longer_bars
from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.closed_bar import relative_volume
from trading_platform.calc.indicator_seeds import INTERVALS

_BAR_COLUMNS = ("token", "symbol", "start", "high", "low", "close", "volume")


def snapshots_of_replay(indicators: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of table `indicator_snapshots` from the indicators of a replay."""
    return indicators.with_columns(version_text(pl.col("baseline_version")))


def version_text(version: pl.Expr) -> pl.Expr:
    """Write a block's version number as 16 hexadecimal digits; 0, which says that none was loaded, as null."""
    text = version.map_elements(lambda number: f"{number:016x}" if number else None, return_dtype=pl.String)
    return text.alias("baseline_version")


def snapshots_of_bars(
    bars: pl.DataFrame, seeds: pl.DataFrame, baselines: pl.DataFrame, *, session: date
) -> pl.DataFrame:
    """Return the rows of table `indicator_snapshots` from the bars, seeds and baselines of one session.

    `vwap` stays null: that of bars is another number than that of ticks. Bars without a token are left out.
    """
    known = bars.drop_nulls("token")
    parts = [
        _of_interval(longer_bars(known, interval).select(_BAR_COLUMNS), seeds, baselines, interval)
        for interval in INTERVALS
    ]
    return pl.concat(parts).with_columns(
        session=pl.lit(session),
        revision=pl.lit(0),
        vwap=pl.lit(None, pl.Float64),
        record=pl.lit(None, pl.Int64),
    )


def _of_interval(bars: pl.DataFrame, seeds: pl.DataFrame, baselines: pl.DataFrame, interval: int) -> pl.DataFrame:
    bars = bars.with_columns(interval=pl.lit(interval), bucket_start=_minute_of_day())
    expected = baselines.filter(pl.col("interval") == interval).select(
        "token", "bucket_start", pl.col("expected_median").alias("expected_volume")
    )
    # the version is that of the block in use, also for instruments of which it says nothing
    version = pl.lit(baselines["baseline_version"].first(), pl.String).alias("baseline_version")
    joined = bars.join(expected, on=["token", "bucket_start"], how="left").with_columns(version).sort("token", "start")
    states = dict(seeds.filter(pl.col("interval") == interval).select("token", "state").iter_rows())
    outputs = _scan(joined, states)
    volume, normal = _floats(joined["volume"]), _floats(joined["expected_volume"])
    relative = np.fromiter(map(relative_volume, volume, normal), np.float64, len(volume))
    return joined.drop("high", "low", "close", "volume", "bucket_start").with_columns(
        ema_20=outputs[:, 0], rsi_14=outputs[:, 1], atr_14=outputs[:, 2], rvol_bar=relative
    )


def _scan(bars: pl.DataFrame, states: dict[int, list[float]]) -> NDArray[np.float64]:
    parts = []
    for token, high, low, close in bars.group_by("token", maintain_order=True).agg("high", "low", "close").iter_rows():
        state = np.array(states.get(token, [0.0] * INDICATOR_FIELDS))
        parts.append(indicators_scan(state, np.array(high), np.array(low), np.array(close)))
    return np.concatenate(parts) if parts else np.zeros((0, 3))


def _floats(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _minute_of_day() -> pl.Expr:
    return pl.col("start").dt.hour().cast(pl.Int32) * 60 + pl.col("start").dt.minute().cast(pl.Int32)
