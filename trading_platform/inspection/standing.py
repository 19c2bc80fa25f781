"""What the pass remembers of one instrument at a moment: prices, bars under way, gaps, and what it waits for."""

import math
from dataclasses import dataclass
from datetime import datetime

from trading_platform.calc.closed_bar import running_vwap
from trading_platform.calc.kernel import Row
from trading_platform.calc.pass_layout import (
    AFTER_GAP,
    AWAY_SINCE,
    BAR_TRADED,
    BARS_CLOSED_AT,
    CLOSE,
    COOLDOWN,
    FIRED_AT,
    FIVE_AT,
    FLAGS,
    FROM_ZERO,
    HAS_VOLUME,
    HIGH,
    KIND,
    LONG_AT,
    LONG_MINUTES,
    LONG_SLOTS,
    LOW,
    MINUTE,
    MINUTE_AT,
    OPEN,
    PHASES,
    RUN_1,
    RUN_5,
    RUNNING,
    SEEN,
    SIDES,
    SLOT_FIELDS,
    SLOTS,
    SLOTS_AT,
    STATUS,
    STOPS_AT,
    TICKS,
    VOLUME,
    BarFlag,
    Memory,
)
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.calc.patterns.inputs import Direction
from trading_platform.inspection.names import direction_name
from trading_platform.inspection.trace import Trace
from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.market.sessions import PhaseKind, SessionClass
from trading_platform.wire.records import row_as_dict

_CLASSES = list(SessionClass)
INTERVALS = {1: (MINUTE_AT, RUN_1), LONG_MINUTES: (FIVE_AT, RUN_5)}
"""Bar length in minutes: where its part of a row begins, and the parameter that says whether patterns run on it."""


@dataclass(frozen=True, slots=True)
class RunningBar:
    """A bar that is not closed yet; one of several minutes holds its closed minutes. `traded` is NaN if unknown."""

    interval: int
    start: datetime
    kind: str
    open: float
    high: float
    low: float
    close: float
    traded: float
    ticks: int
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """A pattern that fired on a side and stays silent for some more bars, unless a close beyond `stop` ends it."""

    pattern: str
    direction: str
    interval: int
    bars_left: int
    stop: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the instrument; `latest` is the row of its last packet as readers of Redis see it."""

    latest: dict[str, int | float | None] | None
    vwap: float
    hours: str | None
    no_bars_because: str | None
    counted_from_open: bool
    away_since: datetime | None
    volume_after_gap: bool
    running: tuple[RunningBar, ...]
    waits: tuple[Wait, ...]
    bars_closed: dict[int, int]


def standing_of(found: Trace) -> Standing | None:
    """Return what the pass remembers, None for an instrument that no socket carried."""
    row = found.row
    if row is None:
        return None
    memory = found.state.memory
    state = memory.state[row]
    latest = found.latest()
    placed = state[PHASES] >= 0.0
    return Standing(
        latest=row_as_dict(latest[0]) if len(latest) else None,
        vwap=float(running_vwap(state)),
        hours=_CLASSES[int(state[PHASES])].value if placed else None,
        no_bars_because=found.state.unplaced.get(found.token),
        counted_from_open=bool(state[FROM_ZERO]),
        away_since=from_ns(int(state[AWAY_SINCE] * NS_PER_SECOND)) if state[AWAY_SINCE] else None,
        volume_after_gap=bool(state[AFTER_GAP]) and bool(state[SEEN]),
        running=tuple(_running(state)),
        waits=tuple(wait for interval in runs_on(memory) for wait in _waits(memory, state, interval)),
        bars_closed={interval: int(state[at + BARS_CLOSED_AT]) for interval, (at, _) in INTERVALS.items()},
    )


def runs_on(memory: Memory) -> list[int]:
    """Return the bar lengths on which patterns run, the longest first."""
    return [interval for interval, (_, runs) in sorted(INTERVALS.items(), reverse=True) if memory.parameters[runs] == 1]


def flag_names(flags: int) -> tuple[str, ...]:
    """Return the names of the flags of a bar."""
    return tuple((flag.name or "").lower() for flag in BarFlag if flags & flag)


def _running(state: Row) -> list[RunningBar]:
    slots = [(1, state[SLOTS_AT + k * SLOT_FIELDS :][:SLOT_FIELDS]) for k in range(SLOTS)]
    slots += [(LONG_MINUTES, state[LONG_AT + k * SLOT_FIELDS :][:SLOT_FIELDS]) for k in range(LONG_SLOTS)]
    has_volume = bool(state[HAS_VOLUME])
    return [
        _running_bar(interval, slot, has_volume=has_volume)
        for interval, slot in slots
        if slot[STATUS] == RUNNING and slot[KIND] >= 0.0
    ]


def _running_bar(interval: int, slot: Row, *, has_volume: bool) -> RunningBar:
    traded = slot[BAR_TRADED] if interval == 1 else slot[VOLUME]
    return RunningBar(
        interval=interval,
        start=from_ns(int(slot[MINUTE]) * 60 * NS_PER_SECOND),
        kind=PhaseKind(int(slot[KIND])).name.lower(),
        open=float(slot[OPEN]),
        high=float(slot[HIGH]),
        low=float(slot[LOW]),
        close=float(slot[CLOSE]),
        traded=float(traded) if has_volume else math.nan,
        ticks=int(slot[TICKS]),
        flags=flag_names(int(slot[FLAGS])),
    )


def _waits(memory: Memory, state: Row, interval: int) -> list[Wait]:
    at, _ = INTERVALS[interval]
    closed = state[at + BARS_CLOSED_AT]
    waits = []
    for number, declaration in PATTERNS.items():
        for side in Direction:
            key = (number - 1) * SIDES + side + 1
            fired = state[at + FIRED_AT + key]
            left = int(memory.parameters[COOLDOWN] - (closed - fired))
            if fired > 0.0 and left > 0:
                name, stop = direction_name(side), float(state[at + STOPS_AT + key])
                waits.append(Wait(declaration.name, name, interval, left, stop))
    return waits
