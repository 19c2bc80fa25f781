"""Volume profiles of minute bars that stand in files: one a symbol and session, each with those before it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from trading_platform.batch.profile_history import day_atrs, days_of, row_ticks_of, tick_size_of
from trading_platform.batch.profiles import (
    BARS,
    INDEX,
    Grid,
    NakedPoc,
    Traded,
    naked_columns,
    poc_of,
    profile_row,
    still_naked,
)
from trading_platform.market.session_kinds import PhaseKind, Session
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.wire.lake_tables import VOLUME_PROFILES

COLUMNS = ("symbol", *(name for name in VOLUME_PROFILES.schema if name not in {"symbol", "token", "segment"}))


def profiles_of_bars(
    minutes: pl.DataFrame, table: SessionTable, indices: Mapping[str, str], tick_size: float | None = None
) -> pl.DataFrame:
    """Return COLUMNS by symbol and session from minute bars (symbol, ts, prices, volume null where there is none).

    The hours are those of NSE cash without a closing auction. Without `tick_size` each symbol's prices tell its own.
    """
    named = minutes.rename({"ts": "start"}).with_columns(session=pl.col("start").dt.date())
    hours = {day: table.session(SessionClass.NSE_CASH, day) for day in named["session"].unique().sort()}
    found: list[dict[str, Any]] = []
    for (symbol,), part in named.partition_by("symbol", as_dict=True, maintain_order=True).items():
        found += _of_symbol(part, str(symbol), hours, is_index=symbol in indices, tick_size=tick_size)
    return pl.DataFrame(
        [{name: row.get(name) for name in COLUMNS} for row in found],
        schema={name: VOLUME_PROFILES.schema[name] for name in COLUMNS},
        orient="row",
    )


def _of_symbol(
    bars: pl.DataFrame, symbol: str, hours: dict[date, Session], *, is_index: bool, tick_size: float | None
) -> list[dict[str, Any]]:
    tick = tick_size or tick_size_of(bars.select("open", "high", "low", "close").to_numpy().ravel())
    sessions = bars.partition_by("session", as_dict=True, maintain_order=True)
    if is_index:
        return [{"symbol": symbol, "session": key[0], "method": BARS, "reason": INDEX} for key in sessions]
    days = days_of(bars.lazy(), ["symbol"]).collect()
    atrs = day_atrs(*(days[name].to_numpy() for name in ("high", "low", "close")))
    naked: list[NakedPoc] = []
    rows = []
    for ((day,), part), atr in zip(sessions.items(), atrs, strict=False):
        traded, auction = traded_of_bars(part, hours[day])
        grid = Grid(tick, row_ticks_of(days, day, tick) or 1)
        row = profile_row(traded, grid, float(atr))
        naked = still_naked(naked, traded)
        rows.append(
            {
                "symbol": symbol,
                "session": day,
                "method": BARS,
                "entries": len(traded.volume),
                "tick_size": grid.tick_size,
                "row_ticks": grid.row_ticks,
                "row_size": grid.row_size,
                "auction_volume": auction,
                "day_atr": None if np.isnan(atr) else float(atr),
                **row,
                **naked_columns(naked),
            }
        )
        naked += poc_of(row, day)
    return rows


def traded_of_bars(bars: pl.DataFrame, hours: Session) -> tuple[Traded, int]:
    """Return what bars (start, high, low, close, volume) of continuous trading traded, and what the others did."""
    opens = int(hours.opens.timestamp())
    start = bars["start"].dt.epoch("s").to_numpy()
    inside = np.zeros(len(bars), np.bool_)
    for phase in hours.phases:
        if phase.kind is PhaseKind.CONTINUOUS:
            inside |= (start >= int(phase.start.timestamp())) & (start < int(phase.end.timestamp()))
    volume = bars["volume"].fill_null(0).to_numpy().astype(np.int64)
    prices = {name: np.ascontiguousarray(bars[name].to_numpy()[inside]) for name in ("low", "high", "close")}
    return Traded(after=start[inside] - opens, volume=volume[inside], **prices), int(volume[~inside].sum())
