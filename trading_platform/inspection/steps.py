"""Each pattern at each closed bar of one instrument: which of its conditions held, by how much, and whether it fired.

The pass says only what fired. Here the bars that it closed, with the indicators that it gave them, are folded through
the same patterns once more; what fires must be what the pass signalled.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from trading_platform.calc.kernel import Row
from trading_platform.calc.pattern_history import Condition, Explained, PatternHistory
from trading_platform.calc.patterns import inputs
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.inspection.bars_seen import bar_key
from trading_platform.inspection.differences import Compared, compare_rows
from trading_platform.inspection.names import direction_name, signal_name
from trading_platform.inspection.standing import runs_on
from trading_platform.inspection.trace import Trace
from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.wire.records import BAR, INDICATOR, SIGNAL

_OF_BAR = {"open": inputs.OPEN, "high": inputs.HIGH, "low": inputs.LOW, "close": inputs.CLOSE, "volume": inputs.VOLUME}
_OF_INDICATORS = {
    "vwap": inputs.VWAP,
    "rvol_bar": inputs.RVOL,
    "ema_20": inputs.EMA,
    "rsi_14": inputs.RSI,
    "atr_14": inputs.ATR,
}


@dataclass(frozen=True, slots=True)
class ConditionSeen:
    """One condition; `margin` is how far it is from turning, below zero while it does not hold, NaN if unknown."""

    name: str
    unit: str
    relation: str
    value: float
    threshold: float
    holds: bool | None
    margin: float


@dataclass(frozen=True, slots=True)
class PatternSeen:
    """A pattern and a side at a bar."""

    pattern: str
    direction: str
    fires: bool
    conditions: tuple[ConditionSeen, ...]

    @property
    def held(self) -> int:
        """Return how many conditions hold."""
        return sum(one.holds is True for one in self.conditions)


@dataclass(frozen=True, slots=True)
class StepSeen:
    """All patterns, or those that were asked for, at one closed bar."""

    interval: int
    start: datetime
    patterns: tuple[PatternSeen, ...]

    def only(self, pattern: str) -> "StepSeen":
        """Return the step with one pattern alone."""
        return StepSeen(self.interval, self.start, tuple(one for one in self.patterns if one.pattern == pattern))


def steps_of(found: Trace) -> tuple[list[StepSeen], Compared]:
    """Return every step of the session, and how what fires compares with the signals that the pass gave."""
    steps: list[StepSeen] = []
    fired: list[dict[str, Any]] = []
    for interval in runs_on(found.state.memory):
        history = PatternHistory(found.state.memory.parameters, interval)
        for start, bar in _bars(found, interval):
            explained = history.step(bar)
            steps.append(StepSeen(interval, from_ns(start * NS_PER_SECOND), tuple(map(_pattern, explained))))
            fired += [_as_signal(one, interval, start) for one in explained if one.fires]
    return steps, _compare(found, fired)


def _bars(found: Trace, interval: int) -> list[tuple[int, Row]]:
    """Return what patterns saw, bar by bar: each row of indicators stands for one step."""
    bars = {bar_key(row): row for row in found.of(BAR)}
    rows = [row for row in found.of(INDICATOR) if row["interval"] == interval]
    return [(int(row["start"]), _inputs(bars[bar_key(row)], row)) for row in rows]


def _inputs(bar: Any, indicators: Any) -> Row:
    row = np.full(inputs.BAR_COLUMNS, np.nan)
    for columns, source in ((_OF_BAR, bar), (_OF_INDICATORS, indicators)):
        for name, at in columns.items():
            row[at] = source[name]
    return row


def _pattern(one: Explained) -> PatternSeen:
    return PatternSeen(
        pattern=PATTERNS[one.pattern].name,
        direction=direction_name(one.direction),
        fires=bool(one.fires),
        conditions=tuple(map(_condition, one.conditions)),
    )


def _condition(one: Condition) -> ConditionSeen:
    value, threshold = float(one.value), float(one.threshold)
    holds = None if one.holds is None else bool(one.holds)
    return ConditionSeen(one.name, one.unit, one.relation, value, threshold, holds, float(_margin(one)))


def _margin(one: Condition) -> float:
    if one.relation.startswith(">"):
        return one.value - one.threshold
    return one.threshold - one.value if one.relation.startswith("<") else math.nan


def _as_signal(one: Explained, interval: int, start: int) -> dict[str, Any]:
    return {"pattern": one.pattern, "direction": one.direction, "interval": interval, "formed_at": start}


def _compare(found: Trace, fired: list[dict[str, Any]]) -> Compared:
    names = ("pattern", "direction", "interval", "formed_at")
    signals = [{name: int(row[name]) for name in names} for row in found.of(SIGNAL)]
    differences = compare_rows("conditions", signal_name, key=names, journal=signals, stored=fired)
    return Compared("conditions", "what fires against the signals", len(signals), tuple(differences))
