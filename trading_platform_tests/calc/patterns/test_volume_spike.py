import numpy as np
import pytest

from trading_platform.calc.patterns import inputs
from trading_platform.calc.patterns.volume_spike import FIELDS, volume_spike_step
from trading_platform_tests.calc.patterns.made_bars import bar, verdict

GOOD = {"volume": 1000.0, "close": 50.0, "rvol": 2.5}


def test_it_fires_with_no_side_and_says_what_it_saw() -> None:
    said = verdict()
    assert volume_spike_step(np.zeros(FIELDS), bar(**GOOD), said, 2.0, 40_000.0) == inputs.Direction.NONE
    assert said[inputs.FEATURE_0 : inputs.FEATURE_0 + 2].tolist() == [2.5, 50_000.0]
    assert np.isnan(said[[inputs.STOP, inputs.TARGET]]).all()


def test_thresholds_belong_to_the_pattern() -> None:
    assert volume_spike_step(np.zeros(FIELDS), bar(**GOOD), verdict(), 2.5, 50_000.0) == 0


@pytest.mark.parametrize(
    "change", [{"rvol": 1.99}, {"rvol": np.nan}, {"volume": 700.0}, {"volume": np.nan}, {"close": -50.0}]
)
def test_it_is_silent_when_one_condition_fails(change: dict[str, float]) -> None:
    said = verdict()
    assert volume_spike_step(np.zeros(FIELDS), bar(**{**GOOD, **change}), said, 2.0, 40_000.0) == inputs.SILENT
    assert np.isnan(said).all()
