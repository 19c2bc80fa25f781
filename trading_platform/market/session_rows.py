"""The rows of the dated session tables, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time

from trading_platform.market.session_kinds import DayPart, HolidayList, PhaseKind, SessionClass, StepKind, VolumeClass


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
