"""Momentum indicators."""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Row, kernel

RSI_SEEN, RSI_PREVIOUS, RSI_GAIN, RSI_LOSS, RSI_FIELDS = 0, 1, 2, 3, 4


@kernel
def rsi_step(state: Row, period: float, price: float) -> float:
    """Fold one price into `state`; return Wilder's relative strength index, 0 to 100, NaN before `period` changes.

    Seeded with the plain mean of the first `period` changes, as Wilder (1978) and TA-Lib; 0 when nothing ever moved.
    """
    seen = state[RSI_SEEN]
    change = price - state[RSI_PREVIOUS] if seen > 0.0 else 0.0
    state[RSI_SEEN] = seen + 1.0
    state[RSI_PREVIOUS] = price
    if seen == 0.0:
        return np.nan
    weight = 1.0 / seen if seen <= period else 1.0 / period
    state[RSI_GAIN] += weight * (max(change, 0.0) - state[RSI_GAIN])
    state[RSI_LOSS] += weight * (max(-change, 0.0) - state[RSI_LOSS])
    if seen < period:
        return np.nan
    total = state[RSI_GAIN] + state[RSI_LOSS]
    return 100.0 * state[RSI_GAIN] / total if total > 0.0 else 0.0


@kernel
def rsi_scan(state: Row, period: float, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the index after each price; `state` is left where the last price put it."""
    values = np.empty(len(prices))
    for i in range(len(prices)):
        values[i] = rsi_step(state, period, prices[i])
    return values
