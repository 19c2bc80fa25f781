"""volume_spike: a bar that trades much more than this minute of the day usually does.

Direction none: a spike says that something happened, not where it goes. Evaluate it by magnitude.
"""

import numpy as np

from trading_platform.calc.kernel import Row, kernel
from trading_platform.calc.patterns.inputs import CLOSE, FEATURE_0, FEATURE_1, RVOL, SILENT, STOP, TARGET, VOLUME

NUMBER, NAME, VERSION = 1, "volume_spike", 1
FEATURES = ("rvol_bar", "traded_value_inr")
FIELDS = 1
"""Width of the state row; nothing is remembered, but a row has to have a width."""


@kernel
def volume_spike_step(_state: Row, bar: Row, verdict: Row, min_rvol: float, min_value: float) -> int:
    """Return Direction.NONE (0) when relative volume and traded value reach their thresholds, else SILENT."""
    value = bar[VOLUME] * bar[CLOSE]
    if not (bar[RVOL] >= min_rvol and value >= min_value):
        return SILENT
    verdict[STOP] = np.nan
    verdict[TARGET] = np.nan
    verdict[FEATURE_0] = bar[RVOL]
    verdict[FEATURE_1] = value
    return 0
