"""The rows of the dated session tables: read from text, refused where they contradict themselves."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from typing import TypeVar

from trading_platform.errors import BadFileError
from trading_platform.market.session_kinds import (
    HOLIDAY_LIST_OF,
    DayPart,
    HolidayList,
    PhaseKind,
    SessionClass,
    StepKind,
    VolumeClass,
)

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "coverage.csv": ("classes", "first", "last", "source"),
    "holidays.csv": ("date", "lists", "closed", "name", "source"),
    "hours.csv": ("classes", "effective_from", "volume_class", "phase", "part", "start", "end", "source"),
    "special_sessions.csv": ("date", "classes", "volume_class", "phase", "start", "end", "name", "source"),
    "steps.csv": ("classes", "effective_from", "phase", "step", "after", "until", "may_end_after", "source"),
}

Member = TypeVar("Member", bound=Enum)


@dataclass(frozen=True, slots=True)
class Span:
    """A covered range of dates, both ends included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Holiday:
    """A date on which a list closes the whole day or one part of it."""

    name: str
    closed: DayPart


@dataclass(frozen=True, slots=True)
class Hours:
    """One phase in local time of the exchange."""

    kind: PhaseKind
    part: DayPart
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class StepRule:
    """One auction step, in minutes after the start of its phase."""

    step: StepKind
    after: int
    until: int
    may_end_after: int | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """The ordinary hours from a date on, until the next schedule of the class."""

    effective_from: date
    volume_class: VolumeClass
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True)
class Special:
    """A day with hours of its own; no hours means that it was open and no source tells when."""

    name: str
    volume_class: VolumeClass
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True)
class SessionRows:
    """All rows of the tables, by what they are looked up with; schedules and steps are in order of their date."""

    coverage: Mapping[SessionClass, tuple[Span, ...]]
    holidays: Mapping[tuple[HolidayList, date], Holiday]
    schedules: Mapping[SessionClass, tuple[Schedule, ...]]
    specials: Mapping[tuple[SessionClass, date], Special]
    steps: Mapping[tuple[SessionClass, PhaseKind], tuple[tuple[date, tuple[StepRule, ...]], ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table that knows where it stands, so that a refusal can name it."""

    place: str
    cells: Mapping[str, str]

    def refuse(self, why: str) -> BadFileError:
        """Return the error that names this line."""
        return BadFileError(f"session table {self.place}: {why}; correct the line")

    def day(self, column: str) -> date:
        """Parse a date as YYYY-MM-DD."""
        try:
            return date.fromisoformat(self.cells[column])
        except ValueError:
            raise self.refuse(f"{column} {self.cells[column]!r} is not a date as YYYY-MM-DD") from None

    def clock(self, column: str) -> time:
        """Parse a local time as HH:MM."""
        try:
            return time.fromisoformat(self.cells[column])
        except ValueError:
            raise self.refuse(f"{column} {self.cells[column]!r} is not a time as HH:MM") from None

    def minutes(self, column: str) -> int:
        """Parse a whole number of minutes."""
        if not self.cells[column].isdecimal():
            raise self.refuse(f"{column} {self.cells[column]!r} is not a whole number of minutes")
        return int(self.cells[column])

    def words(self, column: str, words: type[Member]) -> list[Member]:
        """Parse one or more names of members of `words`, separated by blanks."""
        try:
            found = [words[name.upper()] for name in self.cells[column].split()]
        except KeyError as unknown:
            raise self.refuse(f"{column} {unknown} is none of {', '.join(words.__members__)}") from None
        if not found:
            raise self.refuse(f"{column} is empty")
        return found

    def word(self, column: str, words: type[Member]) -> Member:
        """Parse the name of one member of `words`."""
        return self.words(column, words)[0]

    def hours(self, part: DayPart) -> Hours:
        """Parse the phase and its times."""
        hours = Hours(self.word("phase", PhaseKind), part, self.clock("start"), self.clock("end"))
        if hours.start >= hours.end:
            raise self.refuse(f"start {hours.start} is not before end {hours.end}")
        return hours


def parse_session_tables(files: Mapping[str, str]) -> SessionRows:
    """Read all tables (text by file name); raise BadFileError naming the file and line that cannot be used."""
    if missing := sorted(COLUMNS.keys() - files.keys()):
        raise BadFileError(f"session table: {', '.join(missing)} missing; reinstall, or restore the file")
    lines = {name: list(_lines(name, files[name])) for name in COLUMNS}
    rows = SessionRows(
        coverage=_coverage(lines["coverage.csv"]),
        holidays=_holidays(lines["holidays.csv"]),
        schedules=_schedules(lines["hours.csv"]),
        specials=_specials(lines["special_sessions.csv"]),
        steps=_steps(lines["steps.csv"]),
    )
    _refuse_contradictions(rows)
    return rows


def _lines(name: str, text: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS[name]:
        raise BadFileError(f"session table {name}: columns must be {', '.join(COLUMNS[name])}; correct its first line")
    for cells in reader:
        line = Line(f"{name} line {reader.line_num}", cells)
        if None in cells or None in cells.values():
            raise line.refuse(f"it has not {len(COLUMNS[name])} cells")
        if not cells["source"].strip():
            raise line.refuse("it names no source")
        yield line


def _coverage(lines: list[Line]) -> dict[SessionClass, tuple[Span, ...]]:
    spans: dict[SessionClass, list[Span]] = defaultdict(list)
    for line in lines:
        span = Span(line.day("first"), line.day("last"))
        for session_class in line.words("classes", SessionClass):
            known = spans[session_class]
            if span.last < span.first or (known and span.first <= known[-1].last):
                raise line.refuse(f"the spans of {session_class} must be in order and apart")
            known.append(span)
    return {session_class: tuple(known) for session_class, known in spans.items()}


def _holidays(lines: list[Line]) -> dict[tuple[HolidayList, date], Holiday]:
    holidays: dict[tuple[HolidayList, date], Holiday] = {}
    for line in lines:
        for holiday_list in line.words("lists", HolidayList):
            key = (holiday_list, line.day("date"))
            if key in holidays:
                raise line.refuse(f"{holiday_list} has this date twice")
            holidays[key] = Holiday(line.cells["name"], line.word("closed", DayPart))
    return holidays


def _schedules(lines: list[Line]) -> dict[SessionClass, tuple[Schedule, ...]]:
    parts: dict[SessionClass, dict[date, Schedule]] = defaultdict(dict)
    for line in lines:
        start, volume_class = line.day("effective_from"), line.word("volume_class", VolumeClass)
        for session_class in line.words("classes", SessionClass):
            known = parts[session_class].get(start, Schedule(start, volume_class, ()))
            if known.volume_class is not volume_class:
                raise line.refuse(f"{session_class} has two volume classes from {start} on")
            hours = _appended(line, known.hours, line.hours(line.word("part", DayPart)))
            parts[session_class][start] = Schedule(start, volume_class, hours)
    return {key: tuple(by_date[day] for day in sorted(by_date)) for key, by_date in parts.items()}


def _specials(lines: list[Line]) -> dict[tuple[SessionClass, date], Special]:
    specials: dict[tuple[SessionClass, date], Special] = {}
    for line in lines:
        name, volume_class = line.cells["name"], line.word("volume_class", VolumeClass)
        for session_class in line.words("classes", SessionClass):
            key = (session_class, line.day("date"))
            known = specials.get(key, Special(name, volume_class, ()))
            if (known.name, known.volume_class) != (name, volume_class):
                raise line.refuse(f"{session_class} has two names or volume classes on this date")
            hours = _appended(line, known.hours, line.hours(DayPart.ALL)) if line.cells["phase"] else ()
            specials[key] = Special(name, volume_class, hours)
    return specials


def _appended(line: Line, known: tuple[Hours, ...], hours: Hours) -> tuple[Hours, ...]:
    if known and hours.start < known[-1].end:
        raise line.refuse("phases of a class must be in order and may not overlap")
    return (*known, hours)


def _steps(lines: list[Line]) -> dict[tuple[SessionClass, PhaseKind], tuple[tuple[date, tuple[StepRule, ...]], ...]]:
    rules: dict[tuple[SessionClass, PhaseKind], dict[date, tuple[StepRule, ...]]] = defaultdict(dict)
    for line in lines:
        random_end = line.minutes("may_end_after") if line.cells["may_end_after"] else None
        rule = StepRule(line.word("step", StepKind), line.minutes("after"), line.minutes("until"), random_end)
        for session_class in line.words("classes", SessionClass):
            by_date = rules[session_class, line.word("phase", PhaseKind)]
            known = by_date.get(line.day("effective_from"), ())
            if rule.until <= rule.after or (known and rule.after < known[-1].until):
                raise line.refuse("steps of a phase must be in order and may not overlap")
            by_date[line.day("effective_from")] = (*known, rule)
    return {key: tuple(sorted(by_date.items())) for key, by_date in rules.items()}


def _refuse_contradictions(rows: SessionRows) -> None:
    for session_class, spans in rows.coverage.items():
        schedules = rows.schedules.get(session_class, ())
        if not schedules or schedules[0].effective_from > spans[0].first:
            raise BadFileError(f"session table: {session_class} is covered from {spans[0].first} but has no hours then")
        for schedule in schedules:
            if not any(hours.kind is PhaseKind.CONTINUOUS for hours in schedule.hours):
                raise BadFileError(f"session table: {session_class} never trades from {schedule.effective_from} on")
    for (session_class, day), special in rows.specials.items():
        if special.hours and not any(hours.kind is PhaseKind.CONTINUOUS for hours in special.hours):
            raise BadFileError(f"session table: {session_class} never trades on {day} ({special.name})")
    for (holiday_list, day), holiday in rows.holidays.items():
        if holiday.closed is not DayPart.ALL and not _has_part(rows, holiday_list, holiday.closed):
            raise BadFileError(f"session table: {holiday_list} has no {holiday.closed} to close on {day}")


def _has_part(rows: SessionRows, holiday_list: HolidayList, part: DayPart) -> bool:
    return any(
        hours.part is part
        for session_class, schedules in rows.schedules.items()
        if HOLIDAY_LIST_OF[session_class] is holiday_list
        for schedule in schedules
        for hours in schedule.hours
    )
