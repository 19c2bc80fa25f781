"""vwap_cross: a close on the other side of the session's VWAP after a run of closes on the first side, on volume.

Stop: the VWAP less half an average true range on the side left; target: 1.5 times the risk.
"""

from trading_platform.calc.kernel import Row, kernel
from trading_platform.calc.patterns.inputs import (
    ATR,
    CLOSE,
    FEATURE_0,
    FEATURE_1,
    FEATURE_2,
    RVOL,
    SILENT,
    STOP,
    TARGET,
    VWAP,
)

NUMBER, NAME, VERSION = 3, "vwap_cross", 1
FEATURES = ("vwap", "closes_before", "rvol_bar")

STOP_ATR = 0.5
REWARD = 1.5

RUN = 0
"""Closes in a row on one side: positive above, negative below."""
FIELDS = 1


@kernel
def vwap_cross_step(state: Row, bar: Row, verdict: Row, min_closes: float, min_rvol: float) -> int:
    """Return +1 or -1 when the close crosses VWAP after `min_closes` closes opposite, else SILENT; remember the run.

    A close on the VWAP itself belongs to neither side and leaves the run as it is.
    """
    side = 1 if bar[CLOSE] > bar[VWAP] else (-1 if bar[CLOSE] < bar[VWAP] else 0)
    run = state[RUN]
    if side == 0:
        return SILENT
    if side * run > 0.0:
        state[RUN] = run + side
        return SILENT
    state[RUN] = side
    if not (abs(run) >= min_closes and bar[RVOL] >= min_rvol and bar[ATR] > 0.0):
        return SILENT
    verdict[STOP] = bar[VWAP] - side * STOP_ATR * bar[ATR]
    verdict[TARGET] = bar[CLOSE] + REWARD * (bar[CLOSE] - verdict[STOP])
    verdict[FEATURE_0] = bar[VWAP]
    verdict[FEATURE_1] = abs(run)
    verdict[FEATURE_2] = bar[RVOL]
    return side
