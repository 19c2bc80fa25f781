"""VWAP of bars: another number than the VWAP of ticks, since a bar's typical price stands for all that it traded."""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Row, kernel

BAR_VWAP_VALUE, BAR_VWAP_VOLUME, BAR_VWAP_FIELDS = 0, 1, 2


@kernel
def bar_vwap_step(state: Row, high: float, low: float, close: float, volume: float) -> float:
    """Fold one bar into `state`; return the mean of (high + low + close) / 3 by volume, NaN before any was traded.

    A bar without a known volume leaves the state as it is and has no value itself.
    """
    if volume != volume:
        return np.nan
    state[BAR_VWAP_VALUE] += (high + low + close) / 3.0 * volume
    state[BAR_VWAP_VOLUME] += volume
    return state[BAR_VWAP_VALUE] / state[BAR_VWAP_VOLUME] if state[BAR_VWAP_VOLUME] > 0.0 else np.nan


@kernel
def bar_vwap_scan(
    state: Row,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    close: NDArray[np.float64],
    volume: NDArray[np.float64],
    session: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the value after each bar, beginning anew with each change of `session`."""
    values = np.empty(len(close))
    for i in range(len(close)):
        if i == 0 or session[i] != session[i - 1]:
            state[:] = 0.0
        values[i] = bar_vwap_step(state, high[i], low[i], close[i], volume[i])
    return values
