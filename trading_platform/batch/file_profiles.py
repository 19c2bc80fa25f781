"""Volume profiles of minute bars that stand in files: one a symbol and session, each with those before it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from trading_platform.batch.developing_profiles import DEVELOPING, developing_profile
from trading_platform.batch.profile_history import STEPS, adjusted, day_atrs, days_of, row_ticks_of, tick_size_of
from trading_platform.batch.profiles import (
    BARS,
    INDEX,
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
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.session_kinds import PhaseKind, Session
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.wire.lake_tables import VOLUME_PROFILES

COLUMNS = ("symbol", *(name for name in VOLUME_PROFILES.schema if name not in {"symbol", "token", "segment"}))


@dataclass(frozen=True, slots=True)
class _Traded:
    """A session of a symbol: what its bars tell, the rows that it is counted in, the ATR of the sessions before."""

    symbol: str
    session: date
    traded: Traded
    auction_volume: int
    grid: Grid
    day_atr: float


def profiles_of_bars(
    minutes: pl.DataFrame,
    table: SessionTable,
    indices: Mapping[str, str],
    *,
    actions: CorporateActions,
    tick_size: float | None = None,
) -> pl.DataFrame:
    """Return COLUMNS by symbol and session from minute bars (symbol, ts, prices, volume null where there is none).

    The hours are those of NSE cash without a closing auction. Without `tick_size` each symbol's prices so far tell it.
    """
    found = []
    for symbol, part, hours in _symbols(minutes, table):
        if symbol in indices:
            days = part["session"].unique(maintain_order=True)
            rows = [{"session": day, "method": BARS, "reason": INDEX} for day in days]
        else:
            rows = _of_symbol(part, hours, actions, tick_size)
        found += [{**row, "symbol": symbol} for row in rows]
    return pl.DataFrame(
        [{name: row.get(name) for name in COLUMNS} for row in found],
        schema={name: VOLUME_PROFILES.schema[name] for name in COLUMNS},
        orient="row",
    )


def developing_of_bars(
    minutes: pl.DataFrame,
    table: SessionTable,
    indices: Mapping[str, str],
    *,
    actions: CorporateActions,
    tick_size: float | None = None,
) -> pl.DataFrame:
    """Return the developing profile at the end of each bar, from the same input; an index has none."""
    parts = [
        developing_profile(one.traded, one.grid, hours[one.session].opens, one.day_atr).select(
            pl.lit(symbol).alias("symbol"), pl.lit(one.session).alias("session"), pl.all()
        )
        for symbol, part, hours in _symbols(minutes, table)
        if symbol not in indices
        for one in _sessions(part, hours, actions, tick_size)
    ]
    empty = pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, **DEVELOPING})
    return pl.concat([empty, *parts])


def _symbols(minutes: pl.DataFrame, table: SessionTable) -> Iterator[tuple[str, pl.DataFrame, Mapping[date, Session]]]:
    """Yield each symbol with its bars, named by session and kind, and the hours of the sessions."""
    named = minutes.rename({"ts": "start"}).with_columns(session=pl.col("start").dt.date())
    hours = {day: table.session(SessionClass.NSE_CASH, day) for day in named["session"].unique().sort()}
    named = _with_kinds(named, hours)
    for (symbol,), part in named.partition_by("symbol", as_dict=True, maintain_order=True).items():
        yield str(symbol), part, hours


def _of_symbol(
    bars: pl.DataFrame, hours: Mapping[date, Session], actions: CorporateActions, tick_size: float | None
) -> list[dict[str, Any]]:
    naked: list[NakedPoc] = []
    before: date | None = None
    rows = []
    for one in _sessions(bars, hours, actions, tick_size):
        row = profile_row(one.traded, one.grid, one.day_atr)
        changed = actions.factor(one.symbol, before, one.session) if before else 1.0
        naked = still_naked([poc.divided(changed) for poc in naked], one.traded)
        shared = {"method": BARS, "entries": len(one.traded.volume), "auction_volume": one.auction_volume}
        columns = {**grid_columns(one.grid, one.day_atr), **row, **naked_columns(naked)}
        rows.append({"session": one.session, **shared, **columns})
        naked += poc_of(row, one.session)
        before = one.session
    return rows


def _sessions(
    bars: pl.DataFrame, hours: Mapping[date, Session], actions: CorporateActions, tick_size: float | None
) -> Iterator[_Traded]:
    """Yield what was traded in each session of a symbol, with its rows and the ATR before."""
    symbol, last = str(bars["symbol"][0]), bars["session"][-1]
    # in the measure of the last session all along, and from there to that of each
    continuous = bars.lazy().filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))
    days = adjusted(days_of(continuous, ["symbol"]).collect(), actions, last)
    atrs = day_atrs(*(days[name].to_numpy() for name in ("high", "low", "close"))).tolist()
    atr_before = dict(zip(days["session"], atrs, strict=False))
    finest = STEPS[0]
    for (day,), part in bars.partition_by("session", as_dict=True, maintain_order=True).items():
        finest = tick_size or min(finest, tick_size_of(part))
        to_day = actions.factor(symbol, day, last)
        traded, auction = traded_of_bars(part, hours[day].opens)
        grid = Grid(finest, row_ticks_of(days, day, finest / to_day) or 1)
        yield _Traded(symbol, day, traded, auction, grid, atr_before.get(day, float("nan")) * to_day)


def _with_kinds(bars: pl.DataFrame, hours: Mapping[date, Session]) -> pl.DataFrame:
    parts = [_with_kind(part, hours[day]) for (day,), part in bars.partition_by("session", as_dict=True).items()]
    return pl.concat(parts).sort("symbol", "start")


def _with_kind(bars: pl.DataFrame, hours: Session) -> pl.DataFrame:
    continuous = [phase for phase in hours.phases if phase.kind is PhaseKind.CONTINUOUS]
    inside = pl.any_horizontal((pl.col("start") >= one.start) & (pl.col("start") < one.end) for one in continuous)
    other = int(PhaseKind.PRE_OPEN)
    return bars.with_columns(kind=pl.when(inside).then(int(PhaseKind.CONTINUOUS)).otherwise(other))
