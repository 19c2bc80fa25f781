import numpy as np

from trading_platform.calc.volume.kalman_filter import PARAMETERS
from trading_platform.calc.volume.models import (
    Fits,
    Past,
    geometric,
    kalman,
    kalman_robust,
    logs_of,
    panel,
    rolling_mean,
    rolling_median,
)
from trading_platform_tests.calc.volume.made import made_volumes


def _past(volume: np.ndarray, known: int) -> Past:
    return Past(volume, logs_of(volume), known)


def test_zero_has_no_logarithm() -> None:
    found = logs_of(np.array([0.0, 1.0, np.e, np.nan]))
    np.testing.assert_allclose(found, [np.nan, 0.0, 1.0, np.nan])


def test_simple_models_are_the_same_bin_over_twenty_sessions() -> None:
    volume = made_volumes(2, 30, 5)
    mean, median = rolling_mean(_past(volume, 28)), rolling_median(_past(volume, 28))
    np.testing.assert_allclose(mean.one_bin[1, 0], volume[1, 8:28].mean(axis=0))
    np.testing.assert_allclose(median.day_ahead[1, 1], np.median(volume[1, 9:29], axis=0))
    np.testing.assert_allclose(mean.rest[0, 0, 2], volume[0, 8:28, 2:].mean(axis=0).sum())


def test_the_factor_of_the_geometric_mean_moves_the_rest_too() -> None:
    volume = made_volumes(1, 30, 5)
    calm, busy = volume.copy(), volume.copy()
    busy[0, 29, :2] *= 4.0
    rest = [geometric(_past(each, 29)).rest[0, 0, 2] for each in (calm, busy)]
    assert rest[1] > 1.3 * rest[0]


def test_half_days_zeros_and_silent_sessions_leave_the_rest_with_forecasts() -> None:
    volume = made_volumes(4, 40, 8)
    volume[:, 12, 4:] = np.nan
    volume[1, 20] = np.nan
    volume[2, ::3, 5] = 0.0
    volume[3, 36, 4:] = np.nan
    fits, rows = Fits.none(4, 8, PARAMETERS), np.arange(4)
    for model in (kalman, kalman_robust, panel):
        found = model(_past(volume, 35), fits, rows)
        for forecast in (found.one_bin, found.day_ahead, found.rest):
            assert forecast.shape == (4, 5, 8)
            assert np.all(forecast > 0.0)
            assert np.all(np.isfinite(forecast))


def test_a_bin_that_nobody_had_is_not_forecast() -> None:
    volume = made_volumes(3, 30, 6)
    volume[:, :29, 5] = np.nan
    fits, rows = Fits.none(3, 6, PARAMETERS), np.arange(3)
    for model in (kalman, kalman_robust, panel):
        found = model(_past(volume, 25), fits, rows)
        assert np.isnan(found.one_bin[:, :, 5]).all()
        assert not np.isnan(found.one_bin[:, :, :5]).any()
