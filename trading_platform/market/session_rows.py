"""Read the dated session tables, and refuse one that contradicts itself."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import Enum

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

COLUMNS: dict[str, tuple[str, ...]] = {
    "coverage.csv": ("classes", "first", "last", "source"),
    "holidays.csv": ("date", "lists", "closed", "name", "source"),
    "hours.csv": ("classes", "effective_from", "volume_class", "phase", "part", "start", "end", "source"),
    "special_sessions.csv": ("date", "classes", "volume_class", "phase", "start", "end", "name", "source"),
    "steps.csv": ("classes", "effective_from", "phase", "step", "after", "until", "may_end_after", "source"),
}


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

    def word[E: Enum](self, column: str, words: type[E]) -> E:
        """Parse the name of a member of `words`."""
        return self._member(self.cells[column], column, words)

    def words[E: Enum](self, column: str, words: type[E]) -> list[E]:
        """Parse one or more names of members of `words`, separated by blanks."""
        found = [self._member(name, column, words) for name in self.cells[column].split()]
        if not found:
            raise self.refuse(f"{column} is empty")
        return found

    def _member[E: Enum](self, name: str, column: str, words: type[E]) -> E:
        try:
            return words[name.upper()]
        except KeyError:
            raise self.refuse(f"{column} {name!r} is none of {', '.join(words.__members__)}") from None


