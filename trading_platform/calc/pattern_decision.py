"""Which pattern fires on a closed bar: its own step, what a close beyond the stop ends, the wait for the next one."""

from trading_platform.calc.kernel import Matrix, Row, kernel
from trading_platform.calc.pass_layout import (
    BARS_CLOSED_AT,
    BREAKOUT_AT,
    BREAKOUT_BARS,
    BREAKOUT_MARGIN,
    COOLDOWN,
    CROSS_AT,
    CROSS_CLOSES,
    CROSS_RVOL,
    FIRED_AT,
    SIDES,
    SPIKE_AT,
    SPIKE_RVOL,
    SPIKE_VALUE,
    STOPS_AT,
)
from trading_platform.calc.patterns import breakout, inputs, volume_spike, vwap_cross
from trading_platform.calc.patterns.breakout import breakout_conditions, breakout_step
from trading_platform.calc.patterns.volume_spike import volume_spike_conditions, volume_spike_step
from trading_platform.calc.patterns.vwap_cross import vwap_cross_conditions, vwap_cross_step

_SPIKE, _BREAKOUT = volume_spike.NUMBER, breakout.NUMBER
_SPIKE_VERSION, _BREAKOUT_VERSION, _CROSS_VERSION = volume_spike.VERSION, breakout.VERSION, vwap_cross.VERSION
_SPIKE_FIELDS, _BREAKOUT_FIELDS, _CROSS_FIELDS = volume_spike.FIELDS, breakout.FIELDS, vwap_cross.FIELDS
_SILENT, _CLOSE, _STOP = inputs.SILENT, inputs.CLOSE, inputs.STOP


@kernel
def decide(part: Row, pattern: int, bar: Row, said: Row, p: Row) -> tuple[int, int]:
    """Step one pattern of one interval with a closed bar; return the side of its signal or SILENT, and its version.

    `part` is what is kept for the interval, its count of bars already raised; `said` is filled when a pattern is there.
    """
    if pattern == _SPIKE:
        state, version = part[SPIKE_AT : SPIKE_AT + _SPIKE_FIELDS], _SPIKE_VERSION
        side = volume_spike_step(state, bar, said, p[SPIKE_RVOL], p[SPIKE_VALUE])
    elif pattern == _BREAKOUT:
        state, version = part[BREAKOUT_AT : BREAKOUT_AT + _BREAKOUT_FIELDS], _BREAKOUT_VERSION
        side = breakout_step(state, bar, said, p[BREAKOUT_BARS], p[BREAKOUT_MARGIN])
    else:
        state, version = part[CROSS_AT : CROSS_AT + _CROSS_FIELDS], _CROSS_VERSION
        side = vwap_cross_step(state, bar, said, p[CROSS_CLOSES], p[CROSS_RVOL])
    forget_invalidated(part, pattern, bar[_CLOSE])
    if side == _SILENT or not bars_since_signal(part, pattern, side) > p[COOLDOWN]:
        return _SILENT, version
    at = _key(pattern, side)
    part[FIRED_AT + at] = part[BARS_CLOSED_AT]
    part[STOPS_AT + at] = said[_STOP]
    return side, version


@kernel
def conditions_of(pattern: int, part: Row, bar: Row, rows: Matrix, side: int, p: Row) -> int:
    """Fill the conditions of one pattern and side on the state before its step; return how many there are."""
    if pattern == _SPIKE:
        state = part[SPIKE_AT : SPIKE_AT + _SPIKE_FIELDS]
        return volume_spike_conditions(state, bar, rows, side, p[SPIKE_RVOL], p[SPIKE_VALUE])
    if pattern == _BREAKOUT:
        state = part[BREAKOUT_AT : BREAKOUT_AT + _BREAKOUT_FIELDS]
        return breakout_conditions(state, bar, rows, side, p[BREAKOUT_BARS], p[BREAKOUT_MARGIN])
    state = part[CROSS_AT : CROSS_AT + _CROSS_FIELDS]
    return vwap_cross_conditions(state, bar, rows, side, p[CROSS_CLOSES], p[CROSS_RVOL])


@kernel
def bars_since_signal(part: Row, pattern: int, side: int) -> float:
    """Return how many bars ago this side last fired, infinity when it has not or its event is over."""
    fired = part[FIRED_AT + _key(pattern, side)]
    return part[BARS_CLOSED_AT] - fired if fired > 0.0 else float("inf")


@kernel
def forget_invalidated(part: Row, pattern: int, close: float) -> None:
    """End the events, and with them the wait, of sides beyond whose stop this bar closed."""
    for side in (-1, 1):
        at = _key(pattern, side)
        if part[FIRED_AT + at] > 0.0 and side * (close - part[STOPS_AT + at]) < 0.0:
            part[FIRED_AT + at] = 0.0


@kernel
def _key(pattern: int, side: int) -> int:
    return (pattern - 1) * SIDES + side + 1
