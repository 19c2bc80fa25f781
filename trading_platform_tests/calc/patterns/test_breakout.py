import numpy as np
import pytest
from numpy.typing import NDArray

from trading_platform.calc.patterns import inputs
from trading_platform.calc.patterns.breakout import FIELDS, MAX_BARS, breakout_step
from trading_platform_tests.calc.patterns.made_bars import bar, verdict

INSIDE = [bar(high=101.0, low=99.0, close=100.0, atr=2.0, rvol=1.0)] * 8
MARGIN = 0.1


def after(
    bars: list[NDArray[np.float64]], last: NDArray[np.float64], width: int = 5
) -> tuple[int, NDArray[np.float64]]:
    state = np.zeros(FIELDS)
    for each in bars:
        assert breakout_step(state, each, verdict(), float(width), MARGIN) == inputs.SILENT
    said = verdict()
    return int(breakout_step(state, last, said, float(width), MARGIN)), said


def test_a_close_beyond_the_top_fires() -> None:
    side, said = after(INSIDE, bar(high=101.6, low=100.0, close=101.5, atr=2.0, rvol=1.7))
    assert side == 1
    # stop: 101 less a quarter of 2; target: one and a half times the risk above the close
    assert said[inputs.STOP] == pytest.approx(100.5)
    assert said[inputs.TARGET] == pytest.approx(101.5 + 1.5 * 1.0)
    assert said[inputs.FEATURE_0 : inputs.FEATURE_0 + 3].tolist() == pytest.approx([101.0, 0.25, 1.7])


def test_a_close_beyond_the_bottom_fires_the_other_way() -> None:
    side, said = after(INSIDE, bar(high=100.0, low=98.4, close=98.5, atr=2.0, rvol=1.7))
    assert side == -1
    assert said[inputs.STOP] == pytest.approx(99.5)
    assert said[inputs.TARGET] == pytest.approx(98.5 - 1.5)
    assert said[inputs.FEATURE_1] == pytest.approx(0.25)


@pytest.mark.parametrize(
    "last",
    [
        bar(high=101.6, low=100.0, close=101.19, atr=2.0),  # less than a tenth of the range beyond
        bar(high=105.0, low=95.0, close=100.0, atr=2.0),  # beyond by its high only
        bar(high=101.6, low=100.0, close=101.5),  # range unknown
        bar(high=101.6, low=100.0, close=101.5, atr=0.0),  # no range
    ],
)
def test_it_is_silent_when_one_condition_fails(last: NDArray[np.float64]) -> None:
    assert after(INSIDE, last)[0] == inputs.SILENT


def test_it_is_silent_before_it_has_seen_enough_bars_and_closes_inside() -> None:
    last = bar(high=103.0, low=100.0, close=103.0, atr=2.0)
    # five bars make the channel, three closes have to stay in a channel
    assert after(INSIDE[:4], last)[0] == inputs.SILENT
    assert after(INSIDE[:7], last)[0] == inputs.SILENT
    assert after(INSIDE[:8], last)[0] == 1


def test_a_close_outside_begins_the_count_anew() -> None:
    state = np.zeros(FIELDS)
    out = bar(high=103.0, low=100.0, close=103.0, atr=2.0)
    rows = [*INSIDE, out, *INSIDE[:2], bar(high=110.0, low=100.0, close=110.0, atr=2.0)]
    fired = [int(breakout_step(state, row, verdict(), 5.0, MARGIN)) for row in rows]
    assert fired == [inputs.SILENT] * 8 + [1] + [inputs.SILENT] * 3


def test_the_channel_forgets_what_is_older_than_its_width() -> None:
    high = bar(high=120.0, low=99.0, close=100.0, atr=2.0)
    last = bar(high=101.6, low=100.0, close=101.5, atr=2.0)
    assert after([high, *INSIDE[:4], *INSIDE], last)[0] == 1
    assert after([*INSIDE, high, *INSIDE[:4]], last)[0] == inputs.SILENT


def test_the_widest_channel_reaches_back_to_its_first_bar() -> None:
    high = bar(high=120.0, low=99.0, close=100.0, atr=2.0)
    last = bar(high=101.6, low=100.0, close=101.5, atr=2.0)
    quiet = INSIDE * 10
    assert after([*quiet[:10], high, *quiet[: MAX_BARS - 1]], last, MAX_BARS)[0] == inputs.SILENT
    assert after([*quiet[:10], high, *quiet[:MAX_BARS]], last, MAX_BARS)[0] == 1
