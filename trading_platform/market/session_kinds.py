"""The words in which opening hours are told: classes of instruments, phases of a day, classes of days."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum

RECORDING_LEAD_SECONDS = 900
"""How long before the first phase of the day the sockets are connected."""


class SessionClass(StrEnum):
    """What kind of opening hours an instrument has."""

    NSE_CASH_FNO = "NSE_CASH_FNO"
    NSE_CASH = "NSE_CASH"
    NSE_DERIVATIVES = "NSE_DERIVATIVES"
    NSE_CURRENCY = "NSE_CURRENCY"
    NSE_INDEX = "NSE_INDEX"
    BSE_CASH_FNO = "BSE_CASH_FNO"
    BSE_CASH = "BSE_CASH"
    BSE_DERIVATIVES = "BSE_DERIVATIVES"
    BSE_CURRENCY = "BSE_CURRENCY"
    BSE_INDEX = "BSE_INDEX"
    MCX = "MCX"


class HolidayList(StrEnum):
    """A list of holidays as an exchange publishes it; several classes follow one list."""

    NSE = "NSE"
    BSE = "BSE"
    NSE_CURRENCY = "NSE_CURRENCY"
    BSE_CURRENCY = "BSE_CURRENCY"
    MCX = "MCX"


HOLIDAY_LIST_OF: dict[SessionClass, HolidayList] = {
    SessionClass.NSE_CASH_FNO: HolidayList.NSE,
    SessionClass.NSE_CASH: HolidayList.NSE,
    SessionClass.NSE_DERIVATIVES: HolidayList.NSE,
    SessionClass.NSE_INDEX: HolidayList.NSE,
    SessionClass.NSE_CURRENCY: HolidayList.NSE_CURRENCY,
    SessionClass.BSE_CASH_FNO: HolidayList.BSE,
    SessionClass.BSE_CASH: HolidayList.BSE,
    SessionClass.BSE_DERIVATIVES: HolidayList.BSE,
    SessionClass.BSE_INDEX: HolidayList.BSE,
    SessionClass.BSE_CURRENCY: HolidayList.BSE_CURRENCY,
    SessionClass.MCX: HolidayList.MCX,
}


class PhaseKind(IntEnum):
    """What happens in a part of the day; the numbers are stored, so they never change meaning."""

    CONTINUOUS = 0
    PRE_OPEN = 1
    CLOSING_AUCTION = 2
    POST_CLOSE = 3


class StepKind(IntEnum):
    """What a call auction does in a part of its phase; the numbers never change meaning."""

    ORDER_ENTRY = 0
    LIMIT_ENTRY = 1
    MATCHING = 2
    REFERENCE_PRICE = 3
    BUFFER = 4


class DayPart(StrEnum):
    """The part of a day that a phase belongs to and that a holiday can close."""

    ALL = "all"
    MORNING = "morning"
    EVENING = "evening"


class VolumeClass(StrEnum):
    """Which days may stand in one volume baseline: only those of the same class."""

    REGULAR_PRE_CAS = "REGULAR_PRE_CAS"
    REGULAR_CAS = "REGULAR_CAS"
    REGULAR_CAS_REVISED = "REGULAR_CAS_REVISED"
    NON_CAS = "NON_CAS"
    SPECIAL = "SPECIAL"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a call auction, half-open; at a random moment from `may_end_from` it may end early."""

    kind: StepKind
    start: datetime
    end: datetime
    may_end_from: datetime | None


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a session, half-open: `start` belongs to it, `end` does not."""

    kind: PhaseKind
    start: datetime
    end: datetime
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """The hours of one class on one date, phases in order; `special` says why they are not the ordinary ones."""

    date: date
    session_class: SessionClass
    phases: tuple[Phase, ...]
    special: str | None

    @property
    def opens(self) -> datetime:
        """Return the first instant of continuous trading."""
        return next(phase.start for phase in self.phases if phase.kind is PhaseKind.CONTINUOUS)

    @property
    def closes(self) -> datetime:
        """Return the end of the last continuous phase; a closing auction comes after it."""
        return max(phase.end for phase in self.phases if phase.kind is PhaseKind.CONTINUOUS)

    def phase_at(self, moment: datetime) -> Phase | None:
        """Return the phase that `moment` (aware) falls in, None between and outside phases."""
        return next((phase for phase in self.phases if phase.start <= moment < phase.end), None)
