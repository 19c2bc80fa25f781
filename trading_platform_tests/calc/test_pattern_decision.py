"""A side that fired waits, each for itself; a close beyond its stop ends that."""

import math

import numpy as np
import pytest

from trading_platform.calc.pass_layout import BARS_CLOSED_AT, INTERVAL_FIELDS
from trading_platform.calc.pattern_decision import bars_since_signal, decide, forget_invalidated
from trading_platform.calc.patterns import inputs, vwap_cross
from trading_platform_tests.calc.patterns.made_bars import bar, verdict
from trading_platform_tests.calc.test_pattern_history import parameters

CROSS = vwap_cross.NUMBER
ABOVE, BELOW = bar(close=101.0, vwap=100.0, rvol=1.5, atr=2.0), bar(close=99.5, vwap=100.0, rvol=1.5, atr=2.0)


def decided(closes: str, cooldown: float) -> str:
    """Return the sides that fired on closes above (+) and below (-) the VWAP."""
    part, said = np.zeros(INTERVAL_FIELDS), ""
    for each in closes:
        part[BARS_CLOSED_AT] += 1.0
        now = ABOVE if each == "+" else BELOW
        side, version = decide(part, CROSS, now, verdict(), parameters(cooldown=cooldown))
        assert version == vwap_cross.VERSION
        said += {1: "+", -1: "-", inputs.SILENT: "."}[side]
    return said


@pytest.mark.parametrize(
    ("cooldown", "fired"),
    [
        (0.0, "...+..-..+"),
        (5.0, "...+..-..+"),  # the sixth bar after the first one may fire again
        (6.0, "...+..-..."),
        (60.0, "...+..-..."),  # the other side has a wait of its own
    ],
)
def test_a_side_waits_for_itself(cooldown: float, fired: str) -> None:
    assert decided("---+++---+", cooldown) == fired


def test_only_a_close_beyond_the_stop_ends_the_wait() -> None:
    part = np.zeros(INTERVAL_FIELDS)
    for each in (BELOW, BELOW, BELOW, ABOVE):
        part[BARS_CLOSED_AT] += 1.0
        decide(part, CROSS, each, verdict(), parameters())
    assert bars_since_signal(part, CROSS, 1) == 0.0
    assert bars_since_signal(part, CROSS, -1) == math.inf
    for close, left in ((99.0, 0.0), (98.99, math.inf)):  # the stop is the VWAP less half a range
        forget_invalidated(part, CROSS, close)
        assert bars_since_signal(part, CROSS, 1) == left
