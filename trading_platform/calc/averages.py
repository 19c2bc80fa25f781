"""Moving averages."""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Row, kernel

EMA_SEEN, EMA_MEAN, EMA_FIELDS = 0, 1, 2


@kernel
def ema_step(state: Row, period: float, price: float) -> float:
    """Fold one price into `state`; return the mean, NaN before `period` prices (seeded with their mean, as TA-Lib)."""
    seen = state[EMA_SEEN] + 1.0
    weight = 1.0 / seen if seen <= period else 2.0 / (period + 1.0)
    state[EMA_SEEN] = seen
    state[EMA_MEAN] += weight * (price - state[EMA_MEAN])
    return state[EMA_MEAN] if seen >= period else np.nan


@kernel
def ema_scan(state: Row, period: float, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean after each price; `state` is left where the last price put it."""
    means = np.empty(len(prices))
    for i in range(len(prices)):
        means[i] = ema_step(state, period, prices[i])
    return means
