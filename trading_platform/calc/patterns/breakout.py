"""breakout: a close beyond the extreme of the last bars of this session, after three closes that stayed inside.

Level: highest high (lowest low) of the `bars` bars before this one (Donchian). Inside: a close that did not leave the
channel that it met. Stop: back inside by a quarter of the average true range; target: 1.5 times the risk.
"""

import numpy as np

from trading_platform.calc.kernel import Row, kernel
from trading_platform.calc.patterns.inputs import (
    ATR,
    CLOSE,
    FEATURE_0,
    FEATURE_1,
    FEATURE_2,
    HIGH,
    LOW,
    RVOL,
    SILENT,
    STOP,
    TARGET,
)

NUMBER, NAME, VERSION = 2, "breakout", 1
FEATURES = ("level", "distance_atr", "rvol_bar")

MAX_BARS = 60
INSIDE_CLOSES = 3.0
STOP_ATR = 0.25
REWARD = 1.5

SEEN = 0
INSIDE = 1
"""Closes in a row that stayed inside the channel that they met."""
HIGHS_AT = 2
LOWS_AT = HIGHS_AT + MAX_BARS
FIELDS = LOWS_AT + MAX_BARS


@kernel
def breakout_step(state: Row, bar: Row, verdict: Row, bars: float, margin_atr: float) -> int:
    """Return +1 or -1 on a breakout of the last `bars` bars (at most MAX_BARS), else SILENT; remember the bar."""
    direction = SILENT
    seen = int(state[SEEN])
    if seen >= int(bars):
        top, bottom = _channel(state, int(bars))
        if state[INSIDE] >= INSIDE_CLOSES and bar[ATR] > 0.0:
            direction = _verdict(bar, verdict, top, bottom, margin_atr * bar[ATR])
        state[INSIDE] = state[INSIDE] + 1.0 if bottom <= bar[CLOSE] <= top else 0.0
    state[HIGHS_AT + seen % MAX_BARS] = bar[HIGH]
    state[LOWS_AT + seen % MAX_BARS] = bar[LOW]
    state[SEEN] = seen + 1.0
    return direction


@kernel
def _channel(state: Row, width: int) -> tuple[float, float]:
    seen = int(state[SEEN])
    top, bottom = -np.inf, np.inf
    for back in range(1, width + 1):
        top = max(top, state[HIGHS_AT + (seen - back) % MAX_BARS])
        bottom = min(bottom, state[LOWS_AT + (seen - back) % MAX_BARS])
    return top, bottom


@kernel
def _verdict(bar: Row, verdict: Row, top: float, bottom: float, margin: float) -> int:
    if bar[CLOSE] >= top + margin and bar[CLOSE] > top:
        side, level = 1, top
    elif bar[CLOSE] <= bottom - margin and bar[CLOSE] < bottom:
        side, level = -1, bottom
    else:
        return SILENT
    verdict[STOP] = level - side * STOP_ATR * bar[ATR]
    verdict[TARGET] = bar[CLOSE] + REWARD * (bar[CLOSE] - verdict[STOP])
    verdict[FEATURE_0] = level
    verdict[FEATURE_1] = side * (bar[CLOSE] - level) / bar[ATR]
    verdict[FEATURE_2] = bar[RVOL]
    return side
