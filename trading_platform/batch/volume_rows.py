"""Volume fields after each bar of a session, from a cube of its bars and what sessions before it say is usual."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.volume_cubes import VolumeCube
from trading_platform.calc.kernel import Matrix
from trading_platform.calc.live_forecast import LIVE_FIELDS, filters_at_open, forecast_scan
from trading_platform.calc.relative_volume import (
    DAY_FIELDS,
    DAY_NAMES,
    FIELD_NAMES,
    HISTORY_FLAGS,
    SESSIONS,
    TRADINGVIEW_MINUTES,
    VIX_MINUTES,
    unknown_days,
    vix_regime,
    volume_scan,
)
from trading_platform.calc.volume_companions import VIX, other_leg
from trading_platform.calc.volume_history import DayExpectations, longer_volumes
from trading_platform.market.clock import IST
from trading_platform.wire.lake_tables import MOMENT

_MINUTE = 1


def volume_rows(cube: VolumeCube, place: int, interval: int, usual: DayExpectations, live: Matrix) -> pl.DataFrame:
    """Return the fields of each bar of the session at `place`: `row` of the cube, `start`, `interval`, what follows.

    NaN where unknown. `live` are the filters of bars of this length at the open, LIVE_FIELDS of calc.live_forecast.
    """
    minutes = cube.minutes[place]
    bars = np.argwhere(cube.present[place].reshape(len(minutes), -1, interval).any(axis=2))
    index, bucket = bars[:, 0], bars[:, 1]
    end = (bucket + 1) * interval - 1
    traded = traded_by_minute(minutes)
    volumes = np.column_stack(
        [
            longer_volumes(minutes[None], interval)[0][index, bucket],
            traded[index, end],
            np.nan_to_num(cube.opening_auction[place])[index],
        ]
    )
    expected = usual.bars[interval]
    fields = volume_scan(bars, volumes, interval, expected, usual.cumulative, usual.tradingview_mean, usual.day)
    ahead = forecast_scan(bars, volumes[:, 0], expected, filters_at_open(live, expected))
    midnight = datetime.combine(cube.sessions[place], time(), IST)
    start = pl.lit(midnight).cast(MOMENT) + pl.duration(minutes=pl.col("minute"))
    columns = {
        "row": index,
        "minute": cube.first_minute + bucket * interval,
        "interval": np.full(len(bars), interval),
        "volume": volumes[:, 0],
        "expected_volume": expected[index, bucket],
        **{name: fields[:, k] for k, name in enumerate(FIELD_NAMES)},
        "rvol_adjusted": ahead[:, 0],
        "surprise_z": ahead[:, 1],
        "straddle_volume": volumes[:, 1] + _other_legs(cube.symbols, traded)[index, end],
        "sessions_used": usual.day[index, SESSIONS].astype(np.int64),
        "volume_flags": usual.day[index, HISTORY_FLAGS].astype(np.int64),
    }
    return pl.DataFrame(columns).with_columns(start=start).drop("minute")


def traded_by_minute(minutes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what was traded up to the end of each minute, along the last axis; NaN before the first known volume."""
    known = ~np.isnan(minutes)
    traded = np.where(known, minutes, 0.0).cumsum(axis=-1)
    return np.where(np.logical_or.accumulate(known, axis=-1), traded, np.nan)


def with_regime(rows: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Add `vix_regime` (VixRegime) to rows of `start` and `interval`, from the minutes of India VIX among `bars`."""
    found = rows.with_columns((pl.col("start") + pl.duration(minutes=pl.col("interval"))).alias("end"))
    vix = bars.filter(pl.col("symbol") == VIX).select("start", "close")
    ends = found.select("end").unique()
    names = [f"vix_{back}" for back in range(1, VIX_MINUTES + 1)]
    for back, name in enumerate(names, 1):
        earlier = vix.select((pl.col("start") + timedelta(minutes=back)).alias("end"), pl.col("close").alias(name))
        ends = ends.join(earlier, on="end", how="left")
    fresh = ends.select(pl.coalesce(names).fill_null(np.nan).alias("vix"))["vix"].to_list()
    regimes = ends.select("end").with_columns(pl.Series("vix_regime", list(map(vix_regime, fresh)), pl.Int64))
    return found.join(regimes, on="end", how="left").drop("end")


def stored_expectations(
    baselines: pl.DataFrame, tokens: Sequence[int], span: tuple[int, int], intervals: Sequence[int]
) -> DayExpectations:
    """Return what rows of table `volume_baselines` say is usual, for these tokens and minutes (first, how many)."""
    first, minutes = span
    place = {token: row for row, token in enumerate(tokens)}
    known = baselines.filter(pl.col("token").is_in(list(place))).with_columns(
        row=pl.col("token").replace_strict(place, default=None, return_dtype=pl.Int64)
    )
    bars = {
        interval: _placed(known, "expected_median", interval, (len(tokens), first, minutes)) for interval in intervals
    }
    shape = (len(tokens), first, minutes)
    day = unknown_days(len(tokens))
    one = known.unique("row", keep="first")
    values = one.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in DAY_NAMES).to_numpy()
    day[one["row"].to_numpy(), :DAY_FIELDS] = values
    return DayExpectations(
        bars=bars,
        known={interval: np.zeros(bars[interval].shape, np.int64) for interval in intervals},
        cumulative=_filled(_placed(known, "expected_cumulative", _MINUTE, shape)),
        tradingview_mean=_filled(_placed(known, "tradingview_mean", TRADINGVIEW_MINUTES, shape)),
        day=day,
    )


def stored_filters(baselines: pl.DataFrame, tokens: Sequence[int], interval: int) -> Matrix:
    """Return where rows of table `volume_baselines` say that filters stand at the open, NaN for tokens without one."""
    live = np.full((len(tokens), LIVE_FIELDS), np.nan)
    place = {token: row for row, token in enumerate(tokens)}
    rows = baselines.filter(pl.col("interval") == interval).drop_nulls("filter").select("token", "filter")
    for token, values in rows.iter_rows():
        if token in place:
            live[place[token]] = values
    return live


def _placed(known: pl.DataFrame, column: str, interval: int, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    count, first, minutes = shape
    values = np.full((count, -(-minutes // interval)), np.nan)
    bucket = (pl.col("bucket_start") - first) // interval
    chosen = known.filter(pl.col("interval") == interval, bucket.is_between(0, values.shape[1] - 1))
    at = chosen["row"].to_numpy(), chosen.select(bucket.alias("bucket"))["bucket"].to_numpy()
    values[at] = chosen[column].fill_null(np.nan).to_numpy()
    return values


def _filled(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep each curve level where no past session had a bar: nothing was traded then."""
    places = np.where(np.isnan(curves), 0, np.arange(curves.shape[1])[None, :])
    return np.take_along_axis(curves, np.maximum.accumulate(places, axis=1), axis=1)


def _other_legs(symbols: Sequence[str], traded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the put of each call and the call of each put traded, NaN for what is no leg of a straddle."""
    row = {symbol: k for k, symbol in enumerate(symbols)}
    other = np.full_like(traded, np.nan)
    for symbol, k in row.items():
        partner = row.get(other_leg(symbol))
        if partner is not None:
            other[k] = traded[partner]
    return other
