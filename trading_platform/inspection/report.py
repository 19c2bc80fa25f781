"""Everything that `debug` knows of one instrument, as values with one name each, for the page and for machines."""

import math
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from trading_platform.inspection.bars_seen import BarSeen
from trading_platform.inspection.baseline_used import BaselineUsed
from trading_platform.inspection.differences import Compared, Difference
from trading_platform.inspection.events import Event
from trading_platform.inspection.frames import PacketSeen
from trading_platform.inspection.standing import Standing
from trading_platform.inspection.steps import StepSeen
from trading_platform.market.clock import from_ns

VERSION = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """Which instrument, of which session, up to when."""

    symbol: str
    exchange: str
    segment: str
    token: int
    kind: str
    shard: str
    session: date
    at: datetime
    """Ages are measured from here: the moment that was asked for, else the receive time of the last record."""
    last_record: int
    last_received: datetime
    is_closed: bool


@dataclass(frozen=True, slots=True)
class SignalSeen:
    """A signal that the instrument gave."""

    record: int
    pattern: str
    direction: str
    interval: int
    formed_at: datetime
    known_at: datetime
    entry_ref: float
    stop: float
    target: float
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """What is known, recomputed from the journal, and what stores say otherwise."""

    subject: Subject
    packets: tuple[PacketSeen, ...]
    standing: Standing
    baseline: BaselineUsed
    bars: tuple[BarSeen, ...]
    signals: tuple[SignalSeen, ...]
    steps: tuple[StepSeen, ...]
    """The last bar of each length on which patterns run, with each condition."""
    why_not: str | None
    history: tuple[StepSeen, ...]
    """Every bar of the session with the conditions of the pattern `why_not`."""
    events: tuple[Event, ...]
    """Gaps and what else happened to the instrument's socket."""
    engine_behind_seconds: float | None
    """Market time between what the engine wrote last and where the journal stood then; None: not known."""
    compared: tuple[Compared, ...]
    notes: tuple[str, ...]
    """What is no difference and has to be known all the same."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Return all differences, store by store."""
        return tuple(one for compared in self.compared for one in compared.differences)

    def age_seconds(self, moment_ns: int) -> float:
        """Return how long before `at` a moment was."""
        return round((self.subject.at - from_ns(moment_ns)).total_seconds(), 3)


def as_values(report: Report) -> dict[str, Any]:
    """Return a report as machines read it: moments in ISO 8601, bytes in hexadecimal, unknown as null."""
    values: dict[str, Any] = {"version": VERSION, **_plain(asdict(report))}
    values["packets"] = [_packet(report, one) for one in report.packets]
    values["differences"] = [_plain(asdict(one)) for one in report.differences]
    return values


def _packet(report: Report, one: PacketSeen) -> dict[str, Any]:
    return {
        **_plain(asdict(one)),
        "received": from_ns(one.received_ns).isoformat(),
        "mode": one.mode,
        "age_seconds": report.age_seconds(one.received_ns),
        "lag_seconds": None if one.lag_seconds is None else round(one.lag_seconds, 3),
    }


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(name): _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case bytes():
            return value.hex()
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date():
            return value.isoformat()
        case _:
            return value
