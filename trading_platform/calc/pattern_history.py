"""What patterns saw of one instrument and interval, bar by bar: each condition true, false or unknown, by how much.

The same kernels decide here and in the pass; a history that is fed the bars of the pass fires where the pass fired.
"""

from dataclasses import dataclass

import numpy as np

from trading_platform.calc.kernel import Row
from trading_platform.calc.pass_layout import BARS_CLOSED_AT, COOLDOWN, INTERVAL_FIELDS, RUN_1, RUN_5
from trading_platform.calc.pattern_decision import bars_since_signal, conditions_of, decide, forget_invalidated
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.calc.patterns.inputs import (
    CLOSE,
    CONDITION_COLUMNS,
    HOLDS,
    MAX_CONDITIONS,
    THRESHOLD,
    VALUE,
    VERDICT_COLUMNS,
    ConditionName,
)

_MIRRORED = {">=": "<=", ">": "<"}
_WAIT = ConditionName("bars_since_signal", "bars", ">")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a pattern on one bar; `holds` is None where value or threshold is unknown (NaN)."""

    name: str
    unit: str
    relation: str
    value: float
    threshold: float
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One pattern and side on one bar; the wait since its last signal is the last condition (infinite: none runs)."""

    pattern: int
    direction: int
    conditions: tuple[Condition, ...]
    fires: bool


class PatternHistory:
    """Steps the patterns of one instrument and interval (minutes) with its bars as they closed, in their order.

    `parameters` are those of the pass. Only the first closing of a bar of continuous trading is a step.
    """

    def __init__(self, parameters: Row, interval: int) -> None:
        self._parameters = parameters
        self._runs = parameters[RUN_1 if interval == 1 else RUN_5] == 1.0
        self._part = np.zeros(INTERVAL_FIELDS)

    def step(self, bar: Row) -> tuple[Explained, ...]:
        """Take a closed bar, a row as patterns see it; return each pattern and side, none where patterns do not run."""
        if not self._runs:
            return ()
        self._part[BARS_CLOSED_AT] += 1.0
        explained: list[Explained] = []
        for pattern, declared in PATTERNS.items():
            forget_invalidated(self._part, pattern, bar[CLOSE])
            found = [(side, self._conditions(pattern, side, bar)) for side in declared.sides]
            fired, _ = decide(self._part, pattern, bar, np.full(VERDICT_COLUMNS, np.nan), self._parameters)
            explained += [Explained(pattern, side, conditions, fired == side) for side, conditions in found]
        return tuple(explained)

    def _conditions(self, pattern: int, side: int, bar: Row) -> tuple[Condition, ...]:
        rows = np.full((MAX_CONDITIONS, CONDITION_COLUMNS), np.nan)
        count = conditions_of(pattern, self._part, bar, rows, side, self._parameters)
        named = zip(PATTERNS[pattern].conditions, rows[:count], strict=True)
        waited, cooldown = bars_since_signal(self._part, pattern, side), float(self._parameters[COOLDOWN])
        return (
            *(_condition(name, side, row) for name, row in named),
            Condition(_WAIT.name, _WAIT.unit, _WAIT.relation, waited, cooldown, waited > cooldown),
        )


def _condition(name: ConditionName, side: int, row: Row) -> Condition:
    relation = _MIRRORED[name.relation] if name.mirrored and side < 0 else name.relation
    holds = None if np.isnan(row[HOLDS]) else bool(row[HOLDS])
    return Condition(name.name, name.unit, relation, float(row[VALUE]), float(row[THRESHOLD]), holds)
