"""What `trading-platform play` plays: sessions of bar files, or sessions of the synthetic market, in date order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from trading_platform.batch.bar_files import BarInput, read_bars
from trading_platform.batch.bars import FILE, SYNTHETIC
from trading_platform.errors import BadFileError
from trading_platform.market.instruments import Instrument
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.simulator.session_bars import last_closes
from trading_platform.simulator.synthetic_market import synthetic_session

DEFAULT_SESSION = date(2026, 7, 31)
"""The synthetic session that is played when none is named."""


@dataclass(frozen=True, slots=True)
class SessionInput:
    """One session to play: bars by trading symbol, the instruments that they belong to, closes of the day before."""

    session: date
    bars: pl.DataFrame
    instruments: tuple[Instrument, ...]
    previous_closes: dict[str, float]
    source: str


def read_input(path: Path, indices: list[str], table: SessionTable) -> BarInput:
    """Read what can be played of bar files; raise BadFileError when that is nothing."""
    found = read_bars(path, indices=indices, table=table, for_wire=True)
    if found.bars.is_empty():
        raise BadFileError(f"{path} holds no bar that can be played ({len(found.rejected)} rows are broken)")
    return found


def sessions_of_files(found: BarInput, table: SessionTable) -> Iterator[SessionInput]:
    """Yield the sessions of bar files; tokens depend on all symbols of the files, so they stay the same."""
    symbols = found.bars["symbol"].unique().sort().to_list()
    instruments = {one.tradingsymbol: one for one in assign_tokens([(s, s in found.indices) for s in symbols])}
    by_date = found.bars.with_columns(session=pl.col("ts").dt.date()).partition_by("session", as_dict=True)
    known: tuple[date, dict[str, float]] | None = None
    for session in found.sessions:
        bars = by_date[(session,)].drop("session")
        here = tuple(instruments[symbol] for symbol in bars["symbol"].unique().sort())
        follows = known is not None and known[0] == _session_before(session, table)
        yield SessionInput(session, bars, here, known[1] if known is not None and follows else {}, FILE)
        known = (session, last_closes(bars))


def warn_of_fno_hours(sessions: list[date], table: SessionTable, say: Callable[[str], None]) -> None:
    """Say for which sessions it matters that every share of the files is played as one without F&O."""
    differ = [
        day
        for day in sessions
        if table.session(SessionClass.NSE_CASH_FNO, day).phases != table.session(SessionClass.NSE_CASH, day).phases
    ]
    if differ:
        say(
            f"warning: on {len(differ)} sessions ({differ[0]} to {differ[-1]}) F&O names have other hours than other "
            "shares (closing auction); a file does not tell which names have F&O, so all are played with the hours of "
            "shares without"
        )


def synthetic_dates(last: date, count: int, table: SessionTable) -> list[date]:
    """Return `count` sessions up to and including `last`, ascending."""
    table.session(SessionClass.NSE_CASH, last)
    before = [table.previous_session(SessionClass.NSE_CASH, last, n) for n in range(count - 1, 0, -1)]
    return [*before, last]


def synthetic_sessions(dates: list[date], seed: int, names: int, *, table: SessionTable) -> Iterator[SessionInput]:
    """Yield sessions of the synthetic market."""
    for day in dates:
        made = synthetic_session(day, seed, names, table=table)
        yield SessionInput(day, made.bars, made.instruments, made.previous_closes, SYNTHETIC)


def _session_before(session: date, table: SessionTable) -> date | None:
    first, _ = table.covered(SessionClass.NSE_CASH)
    earlier = table.sessions(SessionClass.NSE_CASH, first, session)
    return earlier[-2] if len(earlier) > 1 else None
