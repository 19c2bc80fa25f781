"""Volatility indicators."""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Row, kernel

ATR_SEEN, ATR_PREVIOUS_CLOSE, ATR_MEAN, ATR_FIELDS = 0, 1, 2, 3


@kernel
def atr_step(state: Row, period: float, high: float, low: float, close: float) -> float:
    """Fold one bar into `state`; return Wilder's average true range in price units, NaN before `period` ranges.

    The first bar has no previous close and so no true range (TA-Lib's convention); the mean is seeded with the plain
    mean of the first `period` ranges.
    """
    seen = state[ATR_SEEN]
    previous = state[ATR_PREVIOUS_CLOSE]
    state[ATR_SEEN] = seen + 1.0
    state[ATR_PREVIOUS_CLOSE] = close
    if seen == 0.0:
        return np.nan
    true_range = max(high, previous) - min(low, previous)
    weight = 1.0 / seen if seen <= period else 1.0 / period
    state[ATR_MEAN] += weight * (true_range - state[ATR_MEAN])
    return state[ATR_MEAN] if seen >= period else np.nan


@kernel
def atr_scan(
    state: Row, period: float, high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the range after each bar; `state` is left where the last bar put it."""
    values = np.empty(len(close))
    for i in range(len(close)):
        values[i] = atr_step(state, period, high[i], low[i], close[i])
    return values
