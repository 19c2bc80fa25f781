"""Volume profiles of all instruments of a session, from its ticks where they are, else from its minute bars."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from trading_platform.batch.profile_history import STEPS, adjusted, day_atrs, row_ticks_of, tick_size_of
from trading_platform.batch.profile_ticks import COLUMNS as TICK_COLUMNS
from trading_platform.batch.profile_ticks import traded_of_ticks
from trading_platform.batch.profiles import (
    BARS,
    INDEX,
    NO_VOLUME,
    TICKS,
    Grid,
    NakedPoc,
    Traded,
    grid_columns,
    naked_columns,
    poc_of,
    profile_row,
    still_naked,
    traded_of_bars,
)
from trading_platform.batch.quality import CLASSES_OF_SEGMENT
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.sessions import SessionTable
from trading_platform.wire.lake_tables import VOLUME_PROFILES

NO_HOURS = "the session table has no hours of its exchange"
INSTRUMENTS_AT_ONCE = 250
"""Whose ticks are held in memory together."""

Key = tuple[str, str | None]
ReadTicks = Callable[[Sequence[int]], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier sessions say: `days` (symbol, segment, session, high, low, close), and the profiles before.

    `profiles` are the rows of the newest session before that has any.
    """

    days: pl.DataFrame
    profiles: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Day:
    """What belongs to a session: its hours, the price steps of its dump by token, splits and bonuses up to it."""

    session: date
    table: SessionTable
    tick_sizes: dict[int, float]
    actions: CorporateActions

    def opens(self, segment: str | None) -> datetime | None:
        """Return when continuous trading of a segment begins, None where the table does not know it."""
        for one in CLASSES_OF_SEGMENT.get(segment, ()):
            if self.table.is_covered(one, self.session) and self.table.is_session(one, self.session):
                return self.table.session(one, self.session).opens
        return None


def session_profiles(bars: pl.DataFrame, day: Day, past: Past, read_ticks: ReadTicks | None) -> pl.DataFrame:
    """Return the rows of table `volume_profiles` of a session, one for each instrument of its minute bars.

    `read_ticks` gives the ticks of some tokens; without it everything comes from the bars.
    """
    days = _by_key(adjusted(past.days, day.actions, day.session))
    before = {(row["symbol"], row["segment"]): row for row in past.profiles.iter_rows(named=True)}
    rows = [
        _one(part, ticks, day, days.get(key), before.get(key)) for key, part, ticks in _instruments(bars, read_ticks)
    ]
    schema = VOLUME_PROFILES.schema
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row")


def _by_key(frame: pl.DataFrame) -> dict[Key, pl.DataFrame]:
    parts = frame.partition_by("symbol", "segment", as_dict=True, maintain_order=True)
    return {(str(symbol), segment): part for (symbol, segment), part in parts.items()}


def _instruments(
    bars: pl.DataFrame, read_ticks: ReadTicks | None
) -> Iterator[tuple[Key, pl.DataFrame, pl.DataFrame | None]]:
    """Yield each instrument's bars, and its ticks if there are any; so many in memory as INSTRUMENTS_AT_ONCE have."""
    parts = list(_by_key(bars.sort("symbol", "segment", "start")).items())
    for at in range(0, len(parts), INSTRUMENTS_AT_ONCE):
        chosen = parts[at : at + INSTRUMENTS_AT_ONCE]
        tokens = [int(part["token"][0]) for _, part in chosen if part["token"][0] is not None]
        ticks = read_ticks(tokens).select(TICK_COLUMNS) if read_ticks is not None and tokens else None
        by_token = {} if ticks is None else ticks.partition_by("token", as_dict=True)
        for key, part in chosen:
            yield key, part, by_token.get((part["token"][0],))


def _one(
    bars: pl.DataFrame, ticks: pl.DataFrame | None, day: Day, days: pl.DataFrame | None, before: dict[str, Any] | None
) -> dict[str, Any]:
    symbol, segment, token = str(bars["symbol"][0]), bars["segment"][0], bars["token"][0]
    method = BARS if ticks is None else TICKS
    named = {"session": day.session, "token": token, "symbol": symbol, "segment": segment, "method": method}
    if bars["volume"].null_count() == bars.height:
        return {**named, "reason": INDEX if segment == "INDICES" else NO_VOLUME}
    opens = day.opens(segment)
    if opens is None:
        return {**named, "reason": NO_HOURS}
    on_bars, auction = traded_of_bars(bars, opens)
    traded = on_bars
    if ticks is not None:
        traded, auction = traded_of_ticks(ticks, bars, opens)
    atr = _atr(days)
    grid = _grid(bars, on_bars, day, days, before)
    row = profile_row(traded, grid, atr)
    naked = still_naked(_carried(symbol, day, days, before), on_bars)
    shared = {"entries": len(traded.volume), "auction_volume": auction}
    return {**named, **shared, **grid_columns(grid, atr), **row, **naked_columns(naked)}


def _atr(days: pl.DataFrame | None) -> float:
    if days is None:
        return float("nan")
    return float(day_atrs(*(days[name].to_numpy() for name in ("high", "low", "close")))[-1])


def _grid(
    bars: pl.DataFrame, traded: Traded, day: Day, days: pl.DataFrame | None, before: dict[str, Any] | None
) -> Grid:
    token = bars["token"][0]
    tick = day.tick_sizes.get(token, 0.0) if token is not None else 0.0
    if not tick > 0.0:
        tick = min(tick_size_of(bars), STEPS[0] if before is None else before["tick_size"] or STEPS[0])
    known = pl.DataFrame(schema={"session": pl.Date, "high": pl.Float64, "low": pl.Float64})
    if days is not None:
        known = days.select(known.columns)
    if len(traded.low):
        today = {"session": [day.session], "high": [float(traded.high.max())], "low": [float(traded.low.min())]}
        known = pl.concat([known, pl.DataFrame(today)])
    return Grid(tick, row_ticks_of(known, day.session, tick) or 1)


def _carried(symbol: str, day: Day, days: pl.DataFrame | None, before: dict[str, Any] | None) -> list[NakedPoc]:
    """Return what the newest profile before left naked, and its own; sessions since, without profiles, took theirs."""
    if before is None:
        return []
    names = ("naked_pocs", "naked_poc_lows", "naked_poc_highs", "naked_poc_sessions")
    lists = [before[name] or [] for name in names]
    naked = [NakedPoc(*values) for values in zip(*lists, strict=True)] + poc_of(before, before["session"])
    changed = day.actions.factor(symbol, before["session"], day.session)
    naked = [one.divided(changed) for one in naked]
    if days is None:
        return naked
    since = days.filter(pl.col("session") > before["session"])
    for high, low in since.select("high", "low").iter_rows():
        naked = [one for one in naked if not (low < one.high and high >= one.low)]
    return naked


def tick_sizes_of(instruments: pl.DataFrame) -> dict[int, float]:
    """Return the price step of each token, from the rows of table `instruments`."""
    return {int(token): float(step) for token, step in instruments.select("token", "tick_size").iter_rows() if step}


def past_sessions(held: Sequence[date], session: date) -> list[date]:
    """Return the sessions before that are looked at: those of this month and of the month before."""
    month = np.datetime64(session, "M")
    return [day for day in held if day < session and np.datetime64(day, "M") >= month - 1]
