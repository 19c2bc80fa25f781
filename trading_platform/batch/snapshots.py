"""Indicators after each bar of a session: as the replay of a journal gives them, or from bars that were imported."""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.bars import longer_bars
from trading_platform.batch.volume_cubes import LONGEST_BAR, span_of, volume_cube
from trading_platform.batch.volume_rows import stored_expectations, stored_filters, volume_rows, with_regime
from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.indicator_seeds import INTERVALS

_BAR_COLUMNS = ("token", "symbol", "start", "high", "low", "close")


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
    parts = [_of_interval(longer_bars(known, interval).select(_BAR_COLUMNS), seeds, interval) for interval in INTERVALS]
    volume = _volume_fields(known, baselines, session)
    # the version is that of the block in use, also for instruments of which it says nothing
    version = pl.lit(baselines["baseline_version"].first(), pl.String).alias("baseline_version")
    return (
        pl.concat(parts)
        .join(volume, on=["token", "interval", "start"], how="left")
        .with_columns(
            version,
            session=pl.lit(session),
            revision=pl.lit(0),
            vwap=pl.lit(None, pl.Float64),
            record=pl.lit(None, pl.Int64),
        )
    )


def _of_interval(bars: pl.DataFrame, seeds: pl.DataFrame, interval: int) -> pl.DataFrame:
    ordered = bars.sort("token", "start")
    states = dict(seeds.filter(pl.col("interval") == interval).select("token", "state").iter_rows())
    outputs = _scan(ordered, states)
    return ordered.select("token", "symbol", "start", interval=pl.lit(interval, pl.Int32)).with_columns(
        ema_20=outputs[:, 0], rsi_14=outputs[:, 1], atr_14=outputs[:, 2]
    )


def _volume_fields(bars: pl.DataFrame, baselines: pl.DataFrame, session: date) -> pl.DataFrame:
    """Return the volume fields by token, interval and start."""
    listed = bars.select("token", "symbol").unique("token").sort("token")
    first, minutes = span_of(bars)
    low = baselines["bucket_start"].min()
    if isinstance(low, int) and low < first:
        # a curve is known from its first minute on only
        minutes += first - low // LONGEST_BAR * LONGEST_BAR
        first = low // LONGEST_BAR * LONGEST_BAR
    tokens = listed["token"].to_list()
    cube = volume_cube(
        bars, sessions=[session], symbols=listed["symbol"].to_list(), span=(first, minutes), tokens=tokens
    )
    usual = stored_expectations(baselines, tokens, (first, minutes), INTERVALS)
    rows = pl.concat(
        volume_rows(cube, 0, interval, usual, stored_filters(baselines, tokens, interval)) for interval in INTERVALS
    )
    found = with_regime(rows, bars).join(listed.with_row_index("row").cast({"row": pl.Int64}), on="row", how="left")
    return found.drop("row", "symbol", "volume", "sessions_used").cast({"interval": pl.Int32})


def _scan(bars: pl.DataFrame, states: dict[int, list[float]]) -> NDArray[np.float64]:
    parts = []
    for token, high, low, close in bars.group_by("token", maintain_order=True).agg("high", "low", "close").iter_rows():
        state = np.array(states.get(token, [0.0] * INDICATOR_FIELDS))
        parts.append(indicators_scan(state, np.array(high), np.array(low), np.array(close)))
    return np.concatenate(parts) if parts else np.zeros((0, 3))
