"""vwap_cross: a close on the other side of the session's VWAP after a run of closes on the first side, on volume.

Stop: the VWAP less half an average true range on the side left; target: 1.5 times the risk.
"""

import numpy as np

from trading_platform.calc.kernel import Matrix, Row, kernel
from trading_platform.calc.patterns.inputs import (
    ABOVE,
    ATR,
    CLOSE,
    CONDITION_COLUMNS,
    FEATURE_0,
    FEATURE_1,
    FEATURE_2,
    RVOL,
    SILENT,
    STOP,
    TARGET,
    VWAP,
    ConditionName,
    all_hold,
    put_passed,
    put_reached,
)

NUMBER, NAME, VERSION = 3, "vwap_cross", 1
FEATURES = ("vwap", "closes_before", "rvol_bar")
SIDES = (1, -1)
CONDITIONS = (
    ConditionName("close_against_vwap", "INR", ">", mirrored=True),
    ConditionName("closes_on_the_other_side", "bars", ">="),
    ConditionName("rvol_bar", "times", ">="),
    ConditionName("atr", "INR", ">"),
)

STOP_ATR = 0.5
REWARD = 1.5

RUN = 0
"""Closes in a row on one side: positive above, negative below."""
FIELDS = 1


_COUNT = len(CONDITIONS)


@kernel
def vwap_cross_conditions(state: Row, bar: Row, rows: Matrix, side: int, min_closes: float, min_rvol: float) -> int:
    """Fill what this bar gives for each condition of one side, +1 or -1; return how many there are."""
    close, vwap, before = bar[CLOSE], bar[VWAP], 0.0 - side * state[RUN]  # no minus before a zero
    put_passed(rows[0], close, vwap, side)
    put_reached(rows[1], before, min_closes, ABOVE)
    put_reached(rows[2], bar[RVOL], min_rvol, ABOVE)
    put_passed(rows[3], bar[ATR], 0.0, ABOVE)
    return _COUNT


@kernel
def vwap_cross_step(state: Row, bar: Row, verdict: Row, min_closes: float, min_rvol: float) -> int:
    """Return +1 or -1 when the close crosses VWAP after `min_closes` closes opposite, else SILENT; remember the run.

    A close on the VWAP itself belongs to neither side and leaves the run as it is.
    """
    side = 1 if bar[CLOSE] > bar[VWAP] else (-1 if bar[CLOSE] < bar[VWAP] else 0)
    if side == 0:
        return SILENT
    rows = np.empty((_COUNT, CONDITION_COLUMNS))
    fires = all_hold(rows, vwap_cross_conditions(state, bar, rows, side, min_closes, min_rvol))
    run = state[RUN]
    state[RUN] = run + side if side * run > 0.0 else float(side)
    if not fires:
        return SILENT
    verdict[STOP] = bar[VWAP] - side * STOP_ATR * bar[ATR]
    verdict[TARGET] = bar[CLOSE] + REWARD * (bar[CLOSE] - verdict[STOP])
    verdict[FEATURE_0] = bar[VWAP]
    verdict[FEATURE_1] = abs(run)
    verdict[FEATURE_2] = bar[RVOL]
    return side
