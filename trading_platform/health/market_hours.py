"""Whether data has to flow now: the phases of the classes that a shard subscribes, by the session table."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from trading_platform.errors import UnknownSessionDate
from trading_platform.health.findings import Finding, Level
from trading_platform.market.clock import NS_PER_SECOND, from_ns, to_ns
from trading_platform.market.session_kinds import RECORDING_LEAD_SECONDS, Phase, PhaseKind, SessionClass
from trading_platform.market.sessions import SessionTable

LOOK_AHEAD_DAYS = 14
WARN_DAYS = 7
"""How many days ahead the session table must be known, or it is said."""


class Duty(IntEnum):
    """What is asked of the platform at a moment; absence is that bad."""

    CLOSED = 0  # nothing trades that is subscribed
    SOON = 1  # the sockets should be connected already
    OPEN = 2  # from the first phase of the day to the end of the last one


@dataclass(frozen=True, slots=True)
class ClassHours:
    """One class of opening hours at a moment: the phase that it is in, or why there is none."""

    name: SessionClass
    phase: PhaseKind | None
    since_ns: int  # of the phase, 0 without one
    closed_because: str


@dataclass(frozen=True, slots=True)
class MarketHours:
    """The hours of one day as far as they matter to a shard; `problem` says what the table does not know."""

    now_ns: int
    today: date
    duty: Duty
    classes: tuple[ClassHours, ...]
    opens_ns: int | None  # first phase of today
    ends_ns: int | None  # end of the last one
    next_opens_ns: int | None
    problem: str | None = None

    @property
    def absence(self) -> Level:
        """Return how bad it is when what records or computes is not there."""
        return Level(int(self.duty))

    @property
    def ignorance(self) -> Level:
        """Return how bad it is when something is not known: never green while it matters."""
        return Level.GREEN if self.duty is Duty.CLOSED else Level.DEGRADED

    def or_closed(self, text: str) -> str:
        """Return a text, or that the market is closed, which explains everything."""
        return "the market is closed" if self.duty is Duty.CLOSED else text

    def of(self, name: SessionClass) -> ClassHours | None:
        """Return the hours of one class, None when they are not known."""
        return next((one for one in self.classes if one.name is name), None)


def market_hours(table: SessionTable, classes: Iterable[SessionClass], now_ns: int) -> MarketHours:
    """Return what is asked at a moment of a shard that subscribes these classes."""
    today, wanted = from_ns(now_ns).date(), tuple(classes)
    phases, unknown = _phases(table, wanted, today)
    every = [phase for found in phases.values() for phase in found]
    opens = min((to_ns(phase.start) for phase in every), default=None)
    ends = max((to_ns(phase.end) for phase in every), default=None)
    following, not_covered = _following(table, wanted, now_ns)
    lead = RECORDING_LEAD_SECONDS * NS_PER_SECOND
    if opens is None or ends is None or now_ns >= ends or now_ns < opens - lead:
        duty = Duty.CLOSED
    else:
        duty = Duty.OPEN if now_ns >= opens else Duty.SOON
    if not phases and unknown:
        duty = Duty.OPEN  # for all that is known something may trade
    return MarketHours(
        now_ns=now_ns,
        today=today,
        duty=duty,
        classes=tuple(_class_hours(table, name, found, now_ns) for name, found in phases.items()),
        opens_ns=opens,
        ends_ns=ends,
        next_opens_ns=following,
        problem=unknown if not phases else not_covered,
    )


def session_ends_ns(table: SessionTable, classes: Iterable[SessionClass], session: date) -> int | None:
    """Return when the last phase of a session ends, None where nothing trades or that is not known."""
    phases, _ = _phases(table, tuple(classes), session)
    return max((to_ns(phase.end) for found in phases.values() for phase in found), default=None)


def market_finding(hours: MarketHours) -> Finding:
    """Say whether the market is open, in which phases, or when it opens next."""
    if hours.problem is not None:
        level = Level.RED if not hours.classes else Level.DEGRADED
        advice = "add the year's holidays with their source to reference/sessions/, or install a newer version"
        return Finding("market", level, hours.problem, advice, {"open": int(hours.duty is Duty.OPEN)})
    return Finding("market", Level.GREEN, _told(hours), figures={"open": int(hours.duty is Duty.OPEN)})


def clock_text(moment_ns: int, today: date) -> str:
    """Say a moment as people do: the time, with the day where it is not today's."""
    moment = from_ns(moment_ns)
    return f"{moment:%H:%M}" if moment.date() == today else f"{moment:%a %d %b %H:%M}"


def _told(hours: MarketHours) -> str:
    if hours.duty is Duty.OPEN:
        by_phase: dict[str, list[str]] = {}
        for one in hours.classes:
            if one.phase is not None:
                by_phase.setdefault(one.phase.name.lower().replace("_", " "), []).append(one.name)
        phases = "; ".join(f"{phase}: {', '.join(names)}" for phase, names in by_phase.items())
        return f"open ({phases or 'between two phases'})"
    following = hours.next_opens_ns
    opens = "the next session is not known" if following is None else f"next opens {clock_text(following, hours.today)}"
    if hours.duty is Duty.SOON:
        return f"closed, {opens}: the feed should be connected"
    why = (
        "" if hours.opens_ns is not None else f" ({next((one.closed_because for one in hours.classes), 'no session')})"
    )
    return f"closed{why}, {opens}"


def _phases(
    table: SessionTable, classes: tuple[SessionClass, ...], on: date
) -> tuple[dict[SessionClass, tuple[Phase, ...]], str | None]:
    """Return the phases of the day by class, none where closed; and what is not known of those that are left out."""
    found: dict[SessionClass, tuple[Phase, ...]] = {}
    unknown = None
    for name in classes:
        try:
            found[name] = table.session(name, on).phases if table.is_session(name, on) else ()
        except UnknownSessionDate as error:
            unknown = str(error)
    return found, unknown


def _following(table: SessionTable, classes: tuple[SessionClass, ...], now_ns: int) -> tuple[int | None, str | None]:
    """Return when the next day of trading begins after now, and the day soon to come that the table does not know."""
    today = from_ns(now_ns).date()
    opens: int | None = None
    for ahead in range(LOOK_AHEAD_DAYS + 1):
        day = today + timedelta(days=ahead)
        phases, unknown = _phases(table, classes, day)
        if not phases and unknown:
            return opens, f"opening hours from {day} on are not known" if ahead <= WARN_DAYS else None
        starts = [to_ns(phase.start) for found in phases.values() for phase in found]
        if opens is None and starts and min(starts) > now_ns:
            opens = min(starts)
    return opens, None


def _class_hours(table: SessionTable, name: SessionClass, phases: tuple[Phase, ...], now_ns: int) -> ClassHours:
    moment = from_ns(now_ns)
    phase = next((one for one in phases if one.start <= moment < one.end), None)
    if phase is not None:
        return ClassHours(name, phase.kind, to_ns(phase.start), "")
    why = table.closed_because(name, moment.date()) or "outside its phases"
    return ClassHours(name, None, 0, why)
