"""breakout: a close beyond the extreme of the last bars of this session, after three closes that stayed inside.

Level: highest high (lowest low) of the `bars` bars before this one (Donchian). Inside: a close that did not leave the
channel that it met. Stop: back inside by a quarter of the average true range; target: 1.5 times the risk.
"""

import numpy as np

from trading_platform.calc.kernel import Matrix, Row, borrowing_kernel, kernel
from trading_platform.calc.patterns.inputs import (
    ABOVE,
    ATR,
    CLOSE,
    CONDITION_COLUMNS,
    FEATURE_0,
    FEATURE_1,
    FEATURE_2,
    HIGH,
    LOW,
    RVOL,
    SILENT,
    STOP,
    TARGET,
    ConditionName,
    all_hold,
    put_passed,
    put_reached,
)

NUMBER, NAME, VERSION = 2, "breakout", 1
FEATURES = ("level", "distance_atr", "rvol_bar")
SIDES = (1, -1)
CONDITIONS = (
    ConditionName("bars_seen", "bars", ">="),
    ConditionName("closes_inside", "bars", ">="),
    ConditionName("atr", "INR", ">"),
    ConditionName("close_against_level_and_margin", "INR", ">=", mirrored=True),
    ConditionName("close_against_level", "INR", ">", mirrored=True),
)

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


_COUNT = len(CONDITIONS)


@kernel
def breakout_conditions(state: Row, bar: Row, rows: Matrix, side: int, bars: float, margin_atr: float) -> int:
    """Fill what this bar gives for each condition of one side, +1 or -1; return how many there are."""
    top, bottom = _channel(state, bars)
    _fill(state, bar, rows, side, top if side > 0 else bottom, bars, margin_atr)
    return _COUNT


@kernel
def breakout_step(state: Row, bar: Row, verdict: Row, bars: float, margin_atr: float) -> int:
    """Return +1 or -1 on a breakout of the last `bars` bars (at most MAX_BARS), else SILENT; remember the bar."""
    rows = np.empty((_COUNT, CONDITION_COLUMNS))
    top, bottom = _channel(state, bars)
    direction = SILENT
    for side in (1, -1):
        level = top if side > 0 else bottom
        _fill(state, bar, rows, side, level, bars, margin_atr)
        if direction == SILENT and all_hold(rows, _COUNT):
            _say(bar, verdict, side, level)
            direction = side
    _remember(state, bar, top, bottom)
    return direction


@borrowing_kernel
def _channel(state: Row, bars: float) -> tuple[float, float]:
    """Return the highest high and the lowest low of the last `bars` bars, NaN before there are so many."""
    seen = int(state[SEEN])
    if seen < bars:
        return np.nan, np.nan
    top, bottom = -np.inf, np.inf
    for back in range(1, int(bars) + 1):
        at = (seen - back) % MAX_BARS
        top, bottom = max(top, state[HIGHS_AT + at]), min(bottom, state[LOWS_AT + at])
    return top, bottom


@borrowing_kernel
def _fill(state: Row, bar: Row, rows: Matrix, side: int, level: float, bars: float, margin_atr: float) -> None:
    margin = margin_atr * bar[ATR]
    beyond = level + margin if side > 0 else level - margin
    put_reached(rows[0], state[SEEN], bars, ABOVE)
    put_reached(rows[1], state[INSIDE], INSIDE_CLOSES, ABOVE)
    put_passed(rows[2], bar[ATR], 0.0, ABOVE)
    # with no margin, or one too small to count beside the level, the close still has to leave the channel
    put_reached(rows[3], bar[CLOSE], beyond, side)
    put_passed(rows[4], bar[CLOSE], level, side)


@borrowing_kernel
def _say(bar: Row, verdict: Row, side: int, level: float) -> None:
    verdict[STOP] = level - side * STOP_ATR * bar[ATR]
    verdict[TARGET] = bar[CLOSE] + REWARD * (bar[CLOSE] - verdict[STOP])
    verdict[FEATURE_0] = level
    verdict[FEATURE_1] = side * (bar[CLOSE] - level) / bar[ATR]
    verdict[FEATURE_2] = bar[RVOL]


@borrowing_kernel
def _remember(state: Row, bar: Row, top: float, bottom: float) -> None:
    seen = int(state[SEEN])
    if top == top:
        state[INSIDE] = state[INSIDE] + 1.0 if bottom <= bar[CLOSE] <= top else 0.0
    state[HIGHS_AT + seen % MAX_BARS] = bar[HIGH]
    state[LOWS_AT + seen % MAX_BARS] = bar[LOW]
    state[SEEN] = seen + 1.0
