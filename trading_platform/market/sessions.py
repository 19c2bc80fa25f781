"""When each exchange is open: sessions, phases, holidays, from dated tables that refuse what they do not know."""

import functools
import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.resources import files

from trading_platform.errors import BadFileError, NoSessionError, UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.session_kinds import (
    HOLIDAY_LIST_OF,
    DayPart,
    HolidayList,
    Phase,
    PhaseKind,
    Session,
    SessionClass,
    Step,
    StepKind,
    VolumeClass,
)
from trading_platform.market.session_table import (
    COLUMNS,
    Holiday,
    Hours,
    Schedule,
    SessionRows,
    Span,
    StepRule,
    parse_session_tables,
)

__all__ = [
    "HOLIDAY_LIST_OF",
    "IST",
    "HolidayList",
    "Phase",
    "PhaseKind",
    "Session",
    "SessionClass",
    "SessionTable",
    "Step",
    "StepKind",
    "VolumeClass",
    "load_session_table",
    "session_table_from",
]

ONE_DAY = timedelta(days=1)
SATURDAY = 5


@dataclass(frozen=True)
class SessionTable:
    """The answers of one version of the tables; `content` is what the version is a hash of."""

    version: str
    content: bytes
    rows: SessionRows

    def session(self, session_class: SessionClass, on: date) -> Session:
        """Return the hours of a date; raise NoSessionError where closed, UnknownSessionDate where not known."""
        self._refuse_closed(session_class, on)
        special = self.rows.specials.get((session_class, on))
        if special is None:
            hours, why = self._ordinary_hours(session_class, on), self._half_day(session_class, on)
            return Session(on, session_class, self._phases(session_class, on, hours), why)
        if not special.hours:
            raise UnknownSessionDate(
                f"{session_class} was open on {on} ({special.name}) but no source tells the hours; "
                "add them with their source to reference/sessions/special_sessions.csv"
            )
        return Session(on, session_class, self._phases(session_class, on, special.hours), special.name)

    def is_session(self, session_class: SessionClass, on: date) -> bool:
        """Tell whether the class trades on a date; raise UnknownSessionDate where that is not known."""
        return self.closed_because(session_class, on) is None

    def closed_because(self, session_class: SessionClass, on: date) -> str | None:
        """Return why the class is closed on a date, None where it is open."""
        self._span(session_class, on)
        if (session_class, on) in self.rows.specials:
            return None
        holiday = self._holiday(session_class, on)
        if holiday is not None and not self._ordinary_hours(session_class, on):
            return f"holiday: {holiday.name}"
        return f"weekend: {on:%A}" if on.weekday() >= SATURDAY else None

    def session_type(self, session_class: SessionClass, on: date) -> VolumeClass:
        """Return which volume baseline a session belongs to; a half day is SHORT."""
        self._refuse_closed(session_class, on)
        special = self.rows.specials.get((session_class, on))
        if special is not None:
            return special.volume_class
        if self._half_day(session_class, on) is not None:
            return VolumeClass.SHORT
        return self._schedule(session_class, on).volume_class

    def sessions(self, session_class: SessionClass, start: date, end: date) -> list[date]:
        """Return the dates with a session from `start` to `end`, both included."""
        span = self._span(session_class, start)
        if end > span.last:
            raise self._unknown(session_class, max(start, span.last + ONE_DAY))
        days = self._open_days[session_class, span]
        return list(days[bisect_left(days, start) : bisect_right(days, end)])

    def any_session_dates(self, start: date, end: date) -> list[date]:
        """Return the dates on which any class that is covered then has a session; refuse a date covered by none."""
        return [day for day in _days(start, end) if self._any_session(day)]

    def covered(self, session_class: SessionClass) -> tuple[date, date]:
        """Return the first and the last date the class is known for; between them a year without a source refuses."""
        spans = self.rows.coverage.get(session_class)
        if not spans:
            raise UnknownSessionDate(f"no year of {session_class} has a source; add one to reference/sessions/")
        return spans[0].first, spans[-1].last

    def is_covered(self, session_class: SessionClass, on: date) -> bool:
        """Tell whether the table knows this class on this date."""
        return any(span.first <= on <= span.last for span in self.rows.coverage.get(session_class, ()))

    def previous_session(self, session_class: SessionClass, on: date, n: int = 1) -> date:
        """Return the n-th session before `on`; raise UnknownSessionDate where that leaves the covered dates."""
        span = self._span(session_class, on)
        days = self._open_days[session_class, span]
        place = bisect_left(days, on) - _positive(n)
        if place < 0:
            raise self._unknown(session_class, span.first - ONE_DAY)
        return days[place]

    def next_session(self, session_class: SessionClass, on: date, n: int = 1) -> date:
        """Return the n-th session after `on`; raise UnknownSessionDate where that leaves the covered dates."""
        span = self._span(session_class, on)
        days = self._open_days[session_class, span]
        place = bisect_right(days, on) + _positive(n) - 1
        if place >= len(days):
            raise self._unknown(session_class, span.last + ONE_DAY)
        return days[place]

    @functools.cached_property
    def _open_days(self) -> Mapping[tuple[SessionClass, Span], tuple[date, ...]]:
        return {
            (session_class, span): tuple(d for d in _days(span.first, span.last) if self.is_session(session_class, d))
            for session_class, spans in self.rows.coverage.items()
            for span in spans
        }

    def _any_session(self, on: date) -> bool:
        covered = [session_class for session_class in SessionClass if self.is_covered(session_class, on)]
        if not covered:
            raise UnknownSessionDate(f"no exchange is covered on {on}; add a sourced year to reference/sessions/")
        return any(self.is_session(session_class, on) for session_class in covered)

    def _span(self, session_class: SessionClass, on: date) -> Span:
        for span in self.rows.coverage.get(session_class, ()):
            if span.first <= on <= span.last:
                return span
        raise self._unknown(session_class, on)

    def _unknown(self, session_class: SessionClass, on: date) -> UnknownSessionDate:
        spans = self.rows.coverage.get(session_class, ())
        known = ", ".join(f"{span.first} to {span.last}" for span in spans) or "no date"
        return UnknownSessionDate(
            f"{session_class} on {on} is not covered (known: {known}); add that year's holidays with their source "
            "to reference/sessions/holidays.csv and widen coverage.csv"
        )

    def _holiday(self, session_class: SessionClass, on: date) -> Holiday | None:
        return self.rows.holidays.get((HOLIDAY_LIST_OF[session_class], on))

    def _refuse_closed(self, session_class: SessionClass, on: date) -> None:
        if closed := self.closed_because(session_class, on):
            raise NoSessionError(f"{session_class} has no session on {on}: {closed}; ask is_session first")

    def _half_day(self, session_class: SessionClass, on: date) -> str | None:
        holiday = self._holiday(session_class, on)
        return None if holiday is None else f"{holiday.closed} closed: {holiday.name}"

    def _schedule(self, session_class: SessionClass, on: date) -> Schedule:
        return next(s for s in reversed(self.rows.schedules[session_class]) if s.effective_from <= on)

    def _ordinary_hours(self, session_class: SessionClass, on: date) -> tuple[Hours, ...]:
        holiday = self._holiday(session_class, on)
        hours = self._schedule(session_class, on).hours
        return tuple(h for h in hours if holiday is None or holiday.closed not in (DayPart.ALL, h.part))

    def _phases(self, session_class: SessionClass, on: date, hours: tuple[Hours, ...]) -> tuple[Phase, ...]:
        return tuple(_phase(on, h, self._steps(session_class, on, h.kind)) for h in hours)

    def _steps(self, session_class: SessionClass, on: date, kind: PhaseKind) -> tuple[StepRule, ...]:
        rules = self.rows.steps.get((session_class, kind), ())
        return next((rule for start, rule in reversed(rules) if start <= on), ())


def session_table_from(content: bytes) -> SessionTable:
    """Read a table from its packed content, as a journal keeps it beside its segments."""
    try:
        tables = json.loads(content)
    except ValueError:
        raise BadFileError("session table: the packed content is not JSON; fetch it again by its hash") from None
    if not isinstance(tables, dict):
        raise BadFileError("session table: the packed content holds no files; fetch it again by its hash")
    version = hashlib.sha256(content).hexdigest()[:16]
    return SessionTable(version, content, parse_session_tables(tables))


@functools.cache
def load_session_table() -> SessionTable:
    """Read the tables that are shipped with the package."""
    folder = files("trading_platform").joinpath("reference", "sessions")
    tables = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in sorted(COLUMNS)}
    return session_table_from(json.dumps(tables, sort_keys=True, ensure_ascii=False).encode())


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=i) for i in range((end - start).days + 1)]


def _at(on: date, clock: time) -> datetime:
    return datetime.combine(on, clock, IST)


def _phase(on: date, hours: Hours, rules: tuple[StepRule, ...]) -> Phase:
    start = _at(on, hours.start)
    steps = tuple(
        Step(
            kind=rule.step,
            start=start + timedelta(minutes=rule.after),
            end=start + timedelta(minutes=rule.until),
            may_end_from=None if rule.may_end_after is None else start + timedelta(minutes=rule.may_end_after),
        )
        for rule in rules
    )
    return Phase(hours.kind, start, _at(on, hours.end), steps)


def _positive(n: int) -> int:
    if n < 1:
        raise ValueError(f"n must be 1 or more, not {n}; use the other direction")
    return n
