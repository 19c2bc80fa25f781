"""Volume fields of minute bars that stand in files: what the engine publishes, each session from those before it."""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl

from trading_platform.batch.baselines import comparable_sessions
from trading_platform.batch.volume_cubes import VolumeCube, span_of, volume_cube
from trading_platform.batch.volume_rows import volume_rows, with_regime
from trading_platform.calc.relative_volume import FIELD_NAMES, VixRegime
from trading_platform.calc.volume_averages import volume_averages
from trading_platform.calc.volume_companions import other_leg
from trading_platform.calc.volume_history import expectations
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.session_kinds import PhaseKind, VolumeClass
from trading_platform.market.sessions import SessionClass, SessionTable

INTERVALS = (1, 5)
"""Lengths of bars in minutes, as the engine publishes them."""
COLUMNS = (
    "symbol", "ts", "interval", "volume", "expected_volume", *FIELD_NAMES, "rvol_adjusted", "surprise_z",
    "straddle_volume", "vix_regime", "sessions_used", "volume_flags", "avg_volume_20", "avg_volume_55", "avg_price_20",
    "avg_price_55", "turtle_ready",
)  # fmt: skip

_CLASS = SessionClass.NSE_CASH_FNO
"""Files do not say which names have derivatives; the days of these change their class whenever those of others do."""
_SYMBOLS_AT_ONCE = 400
_REGIMES = {int(regime): regime.name for regime in VixRegime}
_AVERAGED_SESSIONS = 55


def volume_of_bars(
    minutes: pl.DataFrame,
    table: SessionTable,
    actions: CorporateActions,
    *,
    sessions: int,
    min_sessions: int,
) -> pl.DataFrame:
    """Return COLUMNS by symbol, ts and interval from minute bars (symbol, ts in IST, prices, volume), if any.

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
    rows = with_regime(pl.concat(parts), bars).with_columns(
        ts="start", vix_regime=pl.col("vix_regime").replace_strict(_REGIMES, return_dtype=pl.String)
    )
    known = rows.select(COLUMNS).with_columns(pl.selectors.float().fill_nan(None))
    return known.sort("symbol", "ts", "interval")


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
    beside = pl.DataFrame(
        {
            "row": np.arange(len(cube.symbols)),
            "symbol": list(cube.symbols),
            "avg_volume_20": averages.volume_20,
            "avg_volume_55": averages.volume_55,
            "avg_price_20": averages.price_20,
            "avg_price_55": averages.price_55,
            "turtle_ready": averages.turtle_ready,
        }
    )
    for interval in INTERVALS:
        yield volume_rows(cube, place, interval, usual).join(beside, on="row", how="left")


def _chunks(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Cut sorted symbols into parts of bounded size; the legs of a straddle stand side by side and stay together."""
    first = 0
    while first < len(symbols):
        end = min(first + _SYMBOLS_AT_ONCE, len(symbols))
        end += end < len(symbols) and other_leg(symbols[end - 1]) == symbols[end]
        yield list(symbols[first:end])
        first = end
