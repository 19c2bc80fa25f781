import numpy as np
import pytest
from numpy.typing import NDArray

from trading_platform.calc.patterns import inputs
from trading_platform.calc.patterns.vwap_cross import FIELDS, vwap_cross_step
from trading_platform_tests.calc.patterns.made_bars import bar, verdict

BELOW = [bar(close=99.0, vwap=100.0, rvol=1.0, atr=2.0)] * 6
UP = {"close": 101.0, "vwap": 100.0, "rvol": 1.5, "atr": 2.0}


def after(bars: list[NDArray[np.float64]], last: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    state = np.zeros(FIELDS)
    for each in bars:
        assert vwap_cross_step(state, each, verdict(), 6.0, 1.2) == inputs.SILENT
    said = verdict()
    return int(vwap_cross_step(state, last, said, 6.0, 1.2)), said


def test_a_close_above_after_six_below_fires() -> None:
    side, said = after(BELOW, bar(**UP))
    assert side == 1
    assert said[inputs.STOP] == pytest.approx(99.0)
    assert said[inputs.TARGET] == pytest.approx(101.0 + 1.5 * 2.0)
    assert said[inputs.FEATURE_0 : inputs.FEATURE_0 + 3].tolist() == [100.0, 6.0, 1.5]


def test_a_close_below_after_six_above_fires_the_other_way() -> None:
    above = [bar(close=101.0, vwap=100.0, rvol=1.0, atr=2.0)] * 6
    side, said = after(above, bar(**{**UP, "close": 99.0}))
    assert side == -1
    assert said[inputs.STOP] == pytest.approx(101.0)
    assert said[inputs.TARGET] == pytest.approx(99.0 - 1.5 * 2.0)


@pytest.mark.parametrize(
    "change", [{"rvol": 1.19}, {"rvol": np.nan}, {"atr": np.nan}, {"close": 99.9}, {"close": 100.0}, {"vwap": np.nan}]
)
def test_it_is_silent_when_one_condition_fails(change: dict[str, float]) -> None:
    assert after(BELOW, bar(**{**UP, **change}))[0] == inputs.SILENT


def test_five_closes_are_too_few() -> None:
    assert after(BELOW[:5], bar(**UP))[0] == inputs.SILENT


def test_a_close_on_the_line_leaves_the_run_as_it_is() -> None:
    on = bar(close=100.0, vwap=100.0, rvol=1.0, atr=2.0)
    assert after([*BELOW[:3], on, *BELOW[3:]], bar(**UP))[0] == 1


def test_a_cross_that_was_too_thin_begins_a_run_on_the_new_side() -> None:
    thin = bar(**{**UP, "rvol": 1.0})
    assert after([*BELOW, thin], bar(**UP))[0] == inputs.SILENT
