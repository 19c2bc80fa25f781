"""What one closed bar does to the indicators of its instrument: the bar half of the pass, live and in history.

The row of one instrument and interval: EMA 20, RSI 14, ATR 14, one after the other. Seeds carry exactly this row over
a night.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.averages import EMA_FIELDS, ema_step
from trading_platform.calc.kernel import Row, kernel
from trading_platform.calc.momentum import RSI_FIELDS, rsi_step
from trading_platform.calc.volatility import ATR_FIELDS, atr_step

EMA_PERIOD, RSI_PERIOD, ATR_PERIOD = 20.0, 14.0, 14.0

EMA_AT = 0
RSI_AT = EMA_AT + EMA_FIELDS
ATR_AT = RSI_AT + RSI_FIELDS
INDICATOR_FIELDS = ATR_AT + ATR_FIELDS


@kernel
def indicators_step(state: Row, high: float, low: float, close: float) -> tuple[float, float, float]:
    """Fold one closed bar into `state`; return (ema_20, rsi_14, atr_14), NaN while warming up."""
    ema = ema_step(state[EMA_AT : EMA_AT + EMA_FIELDS], EMA_PERIOD, close)
    rsi = rsi_step(state[RSI_AT : RSI_AT + RSI_FIELDS], RSI_PERIOD, close)
    atr = atr_step(state[ATR_AT : ATR_AT + ATR_FIELDS], ATR_PERIOD, high, low, close)
    return ema, rsi, atr


@kernel
def indicators_scan(
    state: Row, high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return rows of (ema_20, rsi_14, atr_14), shape (bars, 3); `state` is left where the last bar put it."""
    rows = np.empty((len(close), 3))
    for i in range(len(close)):
        rows[i, 0], rows[i, 1], rows[i, 2] = indicators_step(state, high[i], low[i], close[i])
    return rows
