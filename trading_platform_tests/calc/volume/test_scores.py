import numpy as np
import pytest

from trading_platform.calc.volume.scores import (
    absolute_log_errors,
    absolute_percentage_errors,
    day_block_interval,
    mean_score,
    mean_scores_by_bin,
    score,
)


def test_figures_worked_out_by_hand() -> None:
    found = score(np.array([110.0, 50.0, 5.0, np.nan, 0.0]), np.array([100.0, 100.0, 0.0, 7.0, 10.0]))
    assert found.mape == pytest.approx((0.1 + 0.5 + 1.0) / 3)
    assert found.wmape == pytest.approx((10 + 50 + 5 + 10) / 210)
    assert found.bias == pytest.approx((np.log(1.1) + np.log(0.5)) / 2)
    assert found.log_mae == pytest.approx((np.log(1.1) - np.log(0.5)) / 2)
    assert (found.forecasts, found.zero_volume, found.not_positive) == (4, 1, 1)


def test_nothing_gives_null_and_the_mean_is_over_symbols() -> None:
    nothing, exact = score(np.array([np.nan]), np.array([1.0])), score(np.array([3.0]), np.array([2.0]))
    assert nothing.mape is None
    assert nothing.wmape is None
    assert mean_score([nothing, exact])["mape"] == pytest.approx(0.5)
    assert mean_score([nothing, exact])["symbols"] == 1


def test_scores_by_bin_are_those_of_the_symbols_in_that_bin() -> None:
    random = np.random.default_rng(3)
    forecast, actual = random.uniform(1.0, 9.0, (3, 6, 2)), random.uniform(1.0, 9.0, (3, 6, 2))
    forecast[0, :3, 1], forecast[2, :, 1], actual[1, 2, 0] = np.nan, np.nan, 0.0
    for at, found in enumerate(mean_scores_by_bin(forecast, actual)):
        expected = mean_score([score(forecast[row, :, at], actual[row, :, at]) for row in range(3)])
        for name in ("mape", "log_mae", "bias", "forecasts"):
            assert found[name] == pytest.approx(expected[name])
    assert mean_scores_by_bin(np.full((1, 1, 1), np.nan), np.ones((1, 1, 1)))[0]["mape"] is None


def test_errors_are_unknown_where_they_have_no_meaning() -> None:
    forecast, actual = np.array([2.0, 0.0, 1.0, np.nan]), np.array([1.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(absolute_percentage_errors(forecast, actual), [1.0, 1.0, np.nan, np.nan])
    np.testing.assert_allclose(absolute_log_errors(forecast, actual), [np.log(2.0), np.nan, np.nan, np.nan])


def test_the_interval_holds_the_mean_and_widens_when_days_hang_together() -> None:
    random = np.random.default_rng(5)
    days = np.repeat(random.standard_normal(20), 5)
    errors = 0.3 + days[None, :, None] + 0.01 * random.standard_normal((3, 100, 4))
    found = day_block_interval(errors, np.zeros(errors.shape))
    assert found is not None
    assert found["mean"] == pytest.approx(errors.mean())
    assert found["low"] < found["mean"] < found["high"]
    by_bar = 2 * 1.96 * errors.std() / np.sqrt(errors.size)
    assert found["high"] - found["low"] > 5 * by_bar
    assert found == day_block_interval(errors, np.zeros(errors.shape))
    assert day_block_interval(np.full((1, 2, 3), np.nan), np.zeros((1, 2, 3))) is None
