import numpy as np
import pytest

from trading_platform.calc.volume.intraday_factor import gain_of, scale_by_today

GAIN = 0.35


def _run(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    one_bin, day_ahead = np.empty(logs.shape), np.empty(logs.shape)
    scale_by_today(logs, np.full(logs.shape, 5.0), GAIN, one_bin, day_ahead)
    return one_bin, day_ahead


def test_the_factor_worked_out_by_hand() -> None:
    one_bin, day_ahead = _run(np.array([[[5.4, 9.0, np.nan, 4.0], [5.0, 5.0, 5.0, 5.0]]]))
    fast = slow = 0.0
    expected = [5.0]
    for surprise, seen in ((0.4, 4), (4.0, 5), (None, 5)):
        if surprise is not None:
            fast += GAIN * min(surprise - fast, 1.0)
            slow += min(surprise - slow, 1.0) / seen
        expected.append(5.0 + 0.5 * fast + 0.5 * slow)
    np.testing.assert_allclose(one_bin[0, 0], expected)
    # the next day opens with half of the median of 0.4, 4 and -1
    np.testing.assert_allclose(day_ahead[0, 1], 5.2)
    np.testing.assert_allclose(day_ahead[0, 0], 5.0)


def test_shorter_bins_move_the_factor_less() -> None:
    assert gain_of(7) == pytest.approx(0.5)
    assert gain_of(7) > gain_of(26) > gain_of(75) > gain_of(24 * 60) == pytest.approx(0.15)
