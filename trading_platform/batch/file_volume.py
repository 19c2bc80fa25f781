"""Volume fields of minute bars that stand in files: what the engine publishes, each session from those before it."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.baselines import comparable_sessions
from trading_platform.batch.volume_cubes import VolumeCube, span_of, volume_cube
from trading_platform.calc.relative_volume import (
    FIELD_NAMES,
    HISTORY_FLAGS,
    SESSIONS,
    VIX_MINUTES,
    VixRegime,
    vix_regime,
    volume_scan,
)
from trading_platform.calc.volume_averages import VolumeAverages, volume_averages
from trading_platform.calc.volume_history import DayExpectations, expectations, longer_volumes
from trading_platform.market.clock import IST
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.session_kinds import PhaseKind, VolumeClass
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.wire.lake_tables import MOMENT

INTERVALS = (1, 5)
"""Lengths of bars in minutes, as the engine publishes them."""
COLUMNS = (
    "symbol", "ts", "interval", "volume", "expected_volume", *FIELD_NAMES, "rvol_adjusted", "surprise_z",
    "straddle_volume", "vix_regime", "sessions_used", "volume_flags", "avg_volume_20", "avg_volume_55", "avg_price_20",
    "avg_price_55", "turtle_ready",
)  # fmt: skip

VIX = "INDIA VIX"
_CLASS = SessionClass.NSE_CASH_FNO
"""Files do not say which names have derivatives; the days of these change their class whenever those of others do."""
_SYMBOLS_AT_ONCE = 400
_AVERAGED_SESSIONS = 55


def volume_of_bars(
    minutes: pl.DataFrame,
    table: SessionTable,
    actions: CorporateActions,
    *,
    sessions: int,
    min_sessions: int,
) -> pl.DataFrame:
    """Return COLUMNS by symbol, ts and interval from minute bars (symbol, ts in IST, prices, volume).

    The baseline of a session comes from up to `sessions` sessions of its kind before it, null below `min_sessions`.
    Bars outside continuous trading are auctions: no row of their own, part of the day's volume.
    """
    bars = _with_phases(minutes, table)
    days = bars["session"].unique().sort().to_list()
    span = span_of(bars)
    wanted = {day: _places(days, comparable_sessions(table, _CLASS, day, sessions)) for day in days}
    ordinary = [k for k, day in enumerate(days) if table.session_type(_CLASS, day) is not VolumeClass.SPECIAL]
    symbols = bars["symbol"].unique().sort().to_list()
    parts: list[pl.DataFrame] = []
    for chosen in _chunks(symbols):
        mine = bars.filter(pl.col("symbol").is_in(chosen))
        cube = volume_cube(mine, sessions=days, symbols=chosen, span=span)
        for place, day in enumerate(days):
            before = [k for k in ordinary if k < place][-_AVERAGED_SESSIONS:]
            parts += _session_rows(cube, place, wanted[day], before, actions, min_sessions)
    rows = pl.concat(parts) if parts else pl.DataFrame()
    return _beside(rows, bars).select(COLUMNS).sort("symbol", "ts", "interval")


def _with_phases(minutes: pl.DataFrame, table: SessionTable) -> pl.DataFrame:
    """Name session and kind of each bar: before continuous trading of NSE cash the opening auction, after the closing.

    Between 15:15 and 15:30 a name with derivatives has no trades once there is a closing auction, so the hours of
    names without tell an auction of either.
    """
    bars = minutes.rename({"ts": "start"}).with_columns(session=pl.col("start").dt.date())
    days = bars["session"].unique().sort().to_list()
    hours = [table.session(SessionClass.NSE_CASH, day) for day in days]
    opens = pl.col("session").replace_strict(days, [one.opens for one in hours], return_dtype=bars.schema["start"])
    closes = pl.col("session").replace_strict(days, [one.closes for one in hours], return_dtype=bars.schema["start"])
    kind = (
        pl.when(pl.col("start") < opens)
        .then(int(PhaseKind.PRE_OPEN))
        .when(pl.col("start") >= closes)
        .then(int(PhaseKind.CLOSING_AUCTION))
        .otherwise(int(PhaseKind.CONTINUOUS))
    )
    return bars.with_columns(kind=kind)


def _places(days: Sequence[date], wanted: Sequence[date]) -> list[int]:
    among = set(wanted)
    return [place for place, day in enumerate(days) if day in among]


def _session_rows(
    cube: VolumeCube,
    place: int,
    wanted: Sequence[int],
    before: Sequence[int],
    actions: CorporateActions,
    min_sessions: int,
) -> Iterator[pl.DataFrame]:
    day = cube.sessions[place]
    usual = expectations(cube.history(actions, wanted, day), INTERVALS, min_sessions)
    factors = cube.factors(actions, before, day)
    averages = volume_averages(cube.day_volumes[before] * factors, cube.closes[before] / factors)
    for interval in INTERVALS:
        yield _interval_rows(cube, place, interval, usual, averages)


def _interval_rows(
    cube: VolumeCube, place: int, interval: int, usual: DayExpectations, averages: VolumeAverages
) -> pl.DataFrame:
    minutes = cube.minutes[place]
    bars = np.argwhere(cube.present[place].reshape(len(minutes), -1, interval).any(axis=2))
    index, bucket = bars[:, 0], bars[:, 1]
    traded = traded_by_minute(minutes)
    end = (bucket + 1) * interval - 1
    volumes = np.empty((len(bars), 3))
    volumes[:, 0] = longer_volumes(minutes[None], interval)[0][index, bucket]
    volumes[:, 1] = traded[index, end]
    volumes[:, 2] = np.nan_to_num(cube.opening_auction[place])[index]
    fields = volume_scan(
        bars, volumes, interval, usual.bars[interval], usual.cumulative, usual.tradingview_mean, usual.day
    )
    columns = {
        "symbol": np.array(cube.symbols, object)[index].tolist(),
        "minute": cube.first_minute + bucket * interval,
        "interval": np.full(len(bars), interval),
        "volume": volumes[:, 0],
        "expected_volume": usual.bars[interval][index, bucket],
        **{name: fields[:, k] for k, name in enumerate(FIELD_NAMES)},
        "straddle_volume": volumes[:, 1] + _other_leg(cube.symbols, traded)[index, end],
        "sessions_used": usual.day[index, SESSIONS].astype(np.int64),
        "volume_flags": usual.day[index, HISTORY_FLAGS].astype(np.int64),
        "avg_volume_20": averages.volume_20[index],
        "avg_volume_55": averages.volume_55[index],
        "avg_price_20": averages.price_20[index],
        "avg_price_55": averages.price_55[index],
        "turtle_ready": averages.turtle_ready[index],
    }
    midnight = datetime.combine(cube.sessions[place], time(), IST)
    moment = pl.lit(midnight).cast(MOMENT) + pl.duration(minutes=pl.col("minute"))
    return pl.DataFrame(columns).with_columns(ts=moment).drop("minute")


def traded_by_minute(minutes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what was traded up to the end of each minute, along the last axis; NaN before the first known volume."""
    known = ~np.isnan(minutes)
    traded = np.where(known, minutes, 0.0).cumsum(axis=-1)
    return np.where(np.logical_or.accumulate(known, axis=-1), traded, np.nan)


def _other_leg(symbols: Sequence[str], traded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the put of each call and the call of each put traded, NaN for what is no leg of a straddle."""
    row = {symbol: k for k, symbol in enumerate(symbols)}
    other = np.full_like(traded, np.nan)
    for symbol, k in row.items():
        partner = row.get(other_leg(symbol))
        if partner is not None:
            other[k] = traded[partner]
    return other


def other_leg(symbol: str) -> str:
    """Return the symbol of the put of a call, or of the call of a put; of anything else no symbol."""
    legs = {"CE": "PE", "PE": "CE"}
    stem, leg = symbol[:-2], symbol[-2:]
    return stem + legs[leg] if leg in legs and stem[-1:].isdigit() else ""


def _chunks(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Cut sorted symbols into parts of bounded size; the legs of a straddle stand side by side and stay together."""
    first = 0
    while first < len(symbols):
        end = min(first + _SYMBOLS_AT_ONCE, len(symbols))
        end += end < len(symbols) and other_leg(symbols[end - 1]) == symbols[end]
        yield list(symbols[first:end])
        first = end


def _beside(rows: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Add the regime of India VIX, and what no model gives yet."""
    ends = (pl.col("ts") + pl.duration(minutes=pl.col("interval"))).alias("end")
    found = rows.with_columns(ends)
    vix = bars.filter(pl.col("symbol") == VIX).select("start", "close")
    values = found.select("end").unique()
    names = [f"vix_{back}" for back in range(1, VIX_MINUTES + 1)]
    for back, name in enumerate(names, 1):
        earlier = vix.select((pl.col("start") + timedelta(minutes=back)).alias("end"), pl.col("close").alias(name))
        values = values.join(earlier, on="end", how="left")
    fresh = values.select(pl.coalesce(names).fill_null(np.nan).alias("vix"))["vix"].to_list()
    regimes = values.select("end").with_columns(
        pl.Series("vix_regime", [VixRegime(vix_regime(each)).name for each in fresh], pl.String)
    )
    unknown = pl.lit(None, pl.Float64)
    return found.join(regimes, on="end", how="left").with_columns(
        pl.selectors.float().fill_nan(None),
        rvol_adjusted=unknown,
        surprise_z=unknown,
    )
