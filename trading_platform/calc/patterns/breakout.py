"""breakout: a close beyond the extreme of the last bars of this session, after three closes that stayed inside.

Level: highest high (lowest low) of the `bars` bars before this one (Donchian). Inside: a close that did not leave the
channel that it met. Stop: back inside by a quarter of the average true range; target: 1.5 times the risk.
"""

import numpy as np

from trading_platform.calc.kernel import Matrix, Row, kernel
from trading_platform.calc.patterns.inputs import (
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
    seen, close = state[SEEN], bar[CLOSE]
    level = _level(state, side, int(bars)) if seen >= bars else np.nan
    margin = margin_atr * bar[ATR]
    beyond = level + margin if side > 0 else level - margin
    put_reached(rows, 0, seen, bars)
    put_reached(rows, 1, state[INSIDE], INSIDE_CLOSES)
    put_passed(rows, 2, bar[ATR], 0.0)
    # with no margin, or one too small to count beside the level, the close still has to leave the channel
    put_reached(rows, 3, close, beyond, side)
    put_passed(rows, 4, close, level, side)
    return _COUNT


@kernel
def breakout_step(state: Row, bar: Row, verdict: Row, bars: float, margin_atr: float) -> int:
    """Return +1 or -1 on a breakout of the last `bars` bars (at most MAX_BARS), else SILENT; remember the bar."""
    rows = np.empty((_COUNT, CONDITION_COLUMNS))
    direction = SILENT
    for side in (1, -1):
        if direction == SILENT and all_hold(rows, breakout_conditions(state, bar, rows, side, bars, margin_atr)):
            _say(bar, verdict, side, _level(state, side, int(bars)))
            direction = side
    _remember(state, bar, int(bars))
    return direction


@kernel
def _level(state: Row, side: int, width: int) -> float:
    """Return the highest high (side +1) or the lowest low (side -1) of the last `width` bars."""
    seen = int(state[SEEN])
    at = HIGHS_AT if side > 0 else LOWS_AT
    level = -np.inf if side > 0 else np.inf
    for back in range(1, width + 1):
        held = state[at + (seen - back) % MAX_BARS]
        level = max(level, held) if side > 0 else min(level, held)
    return level


@kernel
def _say(bar: Row, verdict: Row, side: int, level: float) -> None:
    verdict[STOP] = level - side * STOP_ATR * bar[ATR]
    verdict[TARGET] = bar[CLOSE] + REWARD * (bar[CLOSE] - verdict[STOP])
    verdict[FEATURE_0] = level
    verdict[FEATURE_1] = side * (bar[CLOSE] - level) / bar[ATR]
    verdict[FEATURE_2] = bar[RVOL]


@kernel
def _remember(state: Row, bar: Row, width: int) -> None:
    seen = int(state[SEEN])
    if seen >= width:
        inside = _level(state, -1, width) <= bar[CLOSE] <= _level(state, 1, width)
        state[INSIDE] = state[INSIDE] + 1.0 if inside else 0.0
    state[HIGHS_AT + seen % MAX_BARS] = bar[HIGH]
    state[LOWS_AT + seen % MAX_BARS] = bar[LOW]
    state[SEEN] = seen + 1.0
