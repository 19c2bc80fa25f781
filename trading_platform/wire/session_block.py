"""The opening hours of one session as a control record names them: replay needs no session table of its own."""

from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

import orjson

from trading_platform.errors import BlockFormatError, NoSessionError, UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.sessions import PhaseKind, SessionClass, SessionTable

VERSION = 1
SECONDS_PER_MINUTE, SECONDS_PER_DAY = 60, 24 * 3600


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """One phase: its kind, first and one past last second since the epoch."""

    kind: PhaseKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SessionHours:
    """Phases of every class that is open on this date; a class that is closed or not covered is absent."""

    session: date
    table_version: str
    phases: dict[SessionClass, tuple[PhaseTimes, ...]]


def encode_hours(table: SessionTable, on: date) -> bytes:
    """Write the hours of all classes open on this date as canonical JSON."""
    phases: dict[str, list[list[int]]] = {}
    for session_class in SessionClass:
        try:
            session = table.session(session_class, on)
        except (NoSessionError, UnknownSessionDate):
            continue
        phases[session_class.value] = [
            [int(phase.kind), int(phase.start.timestamp()), int(phase.end.timestamp())] for phase in session.phases
        ]
    if not phases:
        raise NoSessionError(f"no exchange that the session table covers is open on {on}")
    content = {"version": VERSION, "session": on.isoformat(), "table_version": table.version, "phases": phases}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def decode_hours(content: bytes) -> SessionHours:
    """Read what encode_hours wrote; raise BlockFormatError for anything else."""
    try:
        parsed: dict[str, Any] = orjson.loads(content)
        if parsed["version"] != VERSION:
            raise BlockFormatError(f"session hours of version {parsed['version']} are not known here")
        hours = SessionHours(
            session=date.fromisoformat(parsed["session"]),
            table_version=str(parsed["table_version"]),
            phases={
                SessionClass(name): tuple(PhaseTimes(PhaseKind(k), int(start), int(end)) for k, start, end in rows)
                for name, rows in parsed["phases"].items()
            },
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BlockFormatError(f"content is not the hours of a session: {error!r}") from error
    for name, phases in hours.phases.items():
        _check_phases(hours.session, name, phases)
    return hours


def _check_phases(session: date, name: SessionClass, phases: tuple[PhaseTimes, ...]) -> None:
    midnight = int(datetime.combine(session, time(), IST).timestamp())
    edges = [edge for phase in phases for edge in (phase.start, phase.end)]
    in_order = all(before <= after for before, after in pairwise([midnight, *edges, midnight + SECONDS_PER_DAY]))
    # a bar is a whole minute of one phase
    whole = all((edge - midnight) % SECONDS_PER_MINUTE == 0 for edge in edges)
    if not in_order or not whole or all(phase.kind is not PhaseKind.CONTINUOUS for phase in phases):
        raise BlockFormatError(
            f"hours of {name} on {session} are not phases of whole minutes, in order, within that day, with continuous "
            "trading: mend the session table and record the session again"
        )
