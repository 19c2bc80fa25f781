"""Volume fields of minute bars that stand in files: what the engine publishes, each session from those before it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.baselines import comparable_sessions
from trading_platform.batch.straddles import TOTALS, with_straddle_totals
from trading_platform.batch.volume_cubes import VolumeCube, span_of, volume_cube
from trading_platform.batch.volume_rows import volume_rows, with_regime
from trading_platform.calc.relative_volume import FIELD_NAMES, VixRegime
from trading_platform.calc.volume.outlook import outlooks
from trading_platform.calc.volume_averages import volume_averages
from trading_platform.calc.volume_baseline import INTERVALS
from trading_platform.calc.volume_companions import other_leg
from trading_platform.calc.volume_history import DayExpectations, expectations
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.session_kinds import PhaseKind, VolumeClass
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.wire.blocks import content_hash

Filters = dict[int, NDArray[np.float64]]
"""Of bars of each length, at the open: rows of LIVE_FIELDS of calc.live_forecast."""
COLUMNS = (
    "symbol", "ts", "interval", "volume", "expected_volume", *FIELD_NAMES, "rvol_adjusted", "surprise_z",
    "straddle_volume", TOTALS, "vix_regime", "baseline_version", "sessions_used", "volume_flags", "avg_volume_20",
    "avg_volume_55", "avg_price_20", "avg_price_55", "turtle_ready",
)  # fmt: skip

_CLASS = SessionClass.NSE_CASH_FNO
"""Files do not say which names have derivatives; the days of these change their class whenever those of others do."""
_SYMBOLS_AT_ONCE = 400
_REGIMES = {int(regime): regime.name for regime in VixRegime}
_AVERAGED_SESSIONS = 55
_VERSION_DIGITS = 16


def volume_of_bars(
    minutes: pl.DataFrame,
    table: SessionTable,
    actions: CorporateActions,
    *,
    sessions: int,
    min_sessions: int,
) -> pl.DataFrame:
    """Return COLUMNS by symbol, ts and interval from minute bars (symbol, ts in IST, prices, volume), if any.

    The baseline of a session comes from up to `sessions` sessions of its kind before it, null below `min_sessions`; its
    model is fitted to all symbols of the file together, once a session.
    Bars outside continuous trading are auctions: no row of their own, part of the day's volume.
    """
    bars = _with_phases(minutes, table)
    days = bars["session"].unique().sort().to_list()
    span = span_of(bars)
    wanted = {day: _places(days, comparable_sessions(table, _CLASS, day, sessions)) for day in days}
    ordinary = [k for k, day in enumerate(days) if table.session_type(_CLASS, day) is not VolumeClass.SPECIAL]
    symbols = bars["symbol"].unique().sort().to_list()
    cubes = [
        volume_cube(bars.filter(pl.col("symbol").is_in(chosen)), sessions=days, symbols=chosen, span=span)
        for chosen in _chunks(symbols)
    ]
    parts: list[pl.DataFrame] = []
    for place, day in enumerate(days):
        before = [k for k in ordinary if k < place][-_AVERAGED_SESSIONS:]
        usual = list(_usual(cubes, wanted[day], day, actions, min_sessions))
        version = pl.lit(_version(day, symbols, usual), pl.String).alias("baseline_version")
        for cube, expected in zip(cubes, usual, strict=True):
            parts += [rows.with_columns(version) for rows in _session_rows(cube, place, before, actions, expected)]
    traded = bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))
    rows = with_straddle_totals(with_regime(pl.concat(parts), bars), traded).with_columns(
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


def _usual(
    cubes: Sequence[VolumeCube], wanted: Sequence[int], day: date, actions: CorporateActions, min_sessions: int
) -> Iterator[tuple[DayExpectations, Filters]]:
    """Give what is usual on a day for the symbols of each cube; bars are forecast for all symbols together."""
    histories = [cube.history(actions, wanted, day) for cube in cubes]
    options = np.array([bool(other_leg(symbol)) for cube in cubes for symbol in cube.symbols], np.bool_)
    minutes = np.concatenate([history.minutes for history in histories], axis=1)
    expected = outlooks(minutes, options, min_sessions, INTERVALS)
    first = 0
    for cube, history in zip(cubes, histories, strict=True):
        rows = slice(first, first + len(cube.symbols))
        usual = replace(
            expectations(history, (), min_sessions),
            bars={interval: outlook.median[rows] for interval, outlook in expected.items()},
            known={interval: outlook.known[rows] for interval, outlook in expected.items()},
        )
        yield usual, {interval: outlook.filters[rows] for interval, outlook in expected.items()}
        first = rows.stop


def _version(day: date, symbols: Sequence[str], usual: Sequence[tuple[DayExpectations, Filters]]) -> str | None:
    """Return what names the baselines of a session as the engine's version names its block; None when none is known.

    Files have no tokens, so that it is not the version of an engine's block; equal ones mean equal baselines.
    """
    parts = []
    for expected, filters in usual:
        curves = (expected.cumulative, expected.tradingview_mean, expected.day)
        parts += [*expected.bars.values(), *filters.values(), *curves]
    if not any(np.isfinite(bars).any() for expected, _ in usual for bars in expected.bars.values()):
        return None
    named = "\n".join([str(day), *symbols]).encode()
    return content_hash(named + b"".join(np.ascontiguousarray(part).tobytes() for part in parts))[:_VERSION_DIGITS]


def _session_rows(
    cube: VolumeCube,
    place: int,
    before: Sequence[int],
    actions: CorporateActions,
    expected: tuple[DayExpectations, Filters],
) -> Iterator[pl.DataFrame]:
    usual, filters = expected
    day = cube.sessions[place]
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
        yield volume_rows(cube, place, interval, usual, filters[interval]).join(beside, on="row", how="left")


def _chunks(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Cut sorted symbols into parts of bounded size; the legs of a straddle stand side by side and stay together."""
    first = 0
    while first < len(symbols):
        end = min(first + _SYMBOLS_AT_ONCE, len(symbols))
        end += end < len(symbols) and other_leg(symbols[end - 1]) == symbols[end]
        yield list(symbols[first:end])
        first = end
