"""volume_spike: a bar that trades much more than this minute of the day usually does.

Direction none: a spike says that something happened, not where it goes. Evaluate it by magnitude.
"""

import numpy as np

from trading_platform.calc.kernel import Matrix, Row, kernel
from trading_platform.calc.patterns.inputs import (
    ABOVE,
    CLOSE,
    CONDITION_COLUMNS,
    FEATURE_0,
    FEATURE_1,
    RVOL,
    SILENT,
    STOP,
    TARGET,
    VOLUME,
    ConditionName,
    all_hold,
    put_reached,
)

NUMBER, NAME, VERSION = 1, "volume_spike", 1
FEATURES = ("rvol_bar", "traded_value_inr")
SIDES = (0,)
CONDITIONS = (ConditionName("rvol_bar", "times", ">="), ConditionName("traded_value", "INR", ">="))
FIELDS = 1
"""Width of the state row; nothing is remembered, but a row has to have a width."""

_COUNT = len(CONDITIONS)


@kernel
def volume_spike_conditions(_state: Row, bar: Row, rows: Matrix, _side: int, min_rvol: float, min_value: float) -> int:
    """Fill what this bar gives for each condition; return how many there are."""
    value = bar[VOLUME] * bar[CLOSE]
    put_reached(rows[0], bar[RVOL], min_rvol, ABOVE)
    put_reached(rows[1], value, min_value, ABOVE)
    return _COUNT


@kernel
def volume_spike_step(state: Row, bar: Row, verdict: Row, min_rvol: float, min_value: float) -> int:
    """Return Direction.NONE (0) when relative volume and traded value reach their thresholds, else SILENT."""
    rows = np.empty((_COUNT, CONDITION_COLUMNS))
    count = volume_spike_conditions(state, bar, rows, 0, min_rvol, min_value)
    if not all_hold(rows, count):
        return SILENT
    verdict[STOP] = np.nan
    verdict[TARGET] = np.nan
    verdict[FEATURE_0] = bar[RVOL]
    verdict[FEATURE_1] = bar[VOLUME] * bar[CLOSE]
    return 0
