"""The opening hours of one session as a control record names them: replay needs no session table of its own."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from trading_platform.errors import BlockFormatError, NoSessionError, UnknownSessionDate
from trading_platform.market.sessions import PhaseKind, SessionClass, SessionTable

VERSION = 1


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
        return SessionHours(
            session=date.fromisoformat(parsed["session"]),
            table_version=str(parsed["table_version"]),
            phases={
                SessionClass(name): tuple(PhaseTimes(PhaseKind(k), int(start), int(end)) for k, start, end in rows)
                for name, rows in parsed["phases"].items()
            },
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise BlockFormatError(f"content is not the hours of a session: {error!r}") from error
