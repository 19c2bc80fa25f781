"""A backfill from what a user says: which sessions are missing, which instruments, all of it asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from trading_platform.batch.backfill import Backfill, BackfillReport, Report
from trading_platform.batch.backfill_again import Again
from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.batch.backfill_plan import Target, past_sessions, target_of, targets_of
from trading_platform.batch.instrument_dump import day_of
from trading_platform.batch.reference import choose_universe, closes_before
from trading_platform.errors import MissingInput, NoSessionError
from trading_platform.intake.kite_access import KiteAccess
from trading_platform.market.clock import IST, Clock
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import SessionTable
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import IMPORTED_BARS

LOCK_SECONDS = 600.0
"""How long a run waits for another backfill."""


@dataclass(frozen=True, slots=True)
class BackfillWish:
    """What is wanted; `sessions` are dates, those that were recorded or imported are left out.

    `again` asks for what is there, too.
    """

    sessions: tuple[date, ...]
    names: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class BackfillRoom:
    """Where a backfill works: lake, Kite, the folder of its answers, and the sessions that have a journal."""

    lake: TableStore
    access: KiteAccess
    pieces: Pieces
    table: SessionTable
    recorded: Sequence[date]

    def missing(self, sessions: Sequence[date]) -> list[date]:
        """Return those that neither a journal nor an import gives the bars of."""
        held = {*self.recorded, *self.lake.sessions(IMPORTED_BARS.name)}
        return [session for session in sessions if session not in held]


def wished_sessions(table: SessionTable, count: int, until: date | None, today: date) -> tuple[date, ...]:
    """Return the last `count` sessions up to `until`, which has to be over: yesterday when it is not said."""
    yesterday = today - timedelta(days=1)
    if until is not None and until > yesterday:
        raise NoSessionError(f"{until} is not over yet: candles of past sessions are known up to {yesterday}")
    return tuple(past_sessions(table, until or yesterday, count))


def backfill(room: BackfillRoom, wish: BackfillWish, report: Report, *, lock_seconds: float = 0.0) -> BackfillReport:
    """Ask for the candles of the instruments of the day; raise what is wrong, with what came before in the lake.

    Chains need the close of their index, which on the first morning comes with the backfill itself: they are asked
    for in a second round.
    """
    today = room.access.today()
    sessions = room.missing(wish.sessions)
    dump, _ = room.access.dump(today)
    day = day_of(today, dump.rows)
    with room.pieces.locked(lock_seconds):
        again = Again(room.pieces.folder, wish.sessions, wish.names)
        since = _since(again, report) if wish.again else None
        work = Backfill(room.lake, room.access.candles(), room.pieces, room.table, Clock.wall().now, report)
        targets = _targets(room, day, wish.names)
        report(f"{len(targets):,} instruments, {len(sessions)} sessions")
        told = work.run(targets, sessions, since=since)
        known = {one.name for one in targets}
        later = [one for one in _targets(room, day, wish.names) if one.name not in known]
        if later:
            report(f"{len(later):,} more instruments: options of indices whose close is known now")
            told.add(work.run(later, sessions, since=since))
        if wish.again:
            again.end()
    return told


def _since(again: Again, report: Report) -> datetime:
    now = Clock.wall().now()
    since = again.begin(now)
    if since != now:
        report(
            f"goes on with what was begun at {since.astimezone(IST):%H:%M:%S}: what came since is not asked for again"
        )
    return since


def _targets(room: BackfillRoom, day: InstrumentDay, names: Sequence[str]) -> list[Target]:
    """Return the instruments of the day's universe, or those of these names in the day's dump."""
    if not names:
        return targets_of(choose_universe(day, closes_before(room.lake, room.table, day.session)), day)
    found = [one for one in day.instruments if one.tradingsymbol in names or one.key in names]
    if lacking := sorted(set(names) - {one.tradingsymbol for one in found} - {one.key for one in found}):
        raise MissingInput(f"the dump of {day.session} lists no {', '.join(lacking)}; mend the names")
    return [target_of(one, session_class(one, day.fno_names)) for one in found]
