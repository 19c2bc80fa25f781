import numpy as np
import polars as pl

from trading_platform.calc.volume.rolling import log_mean_before, mean_before, median_before
from trading_platform_tests.calc.volume.made import made_volumes


def _by_polars(volume: np.ndarray, name: str) -> np.ndarray:
    found = np.full(volume.shape, np.nan)
    for row in range(volume.shape[0]):
        for at in range(volume.shape[2]):
            series = pl.Series(volume[row, :, at]).fill_nan(None).shift(1)
            method = getattr(series, f"rolling_{name}")
            found[row, :, at] = method(window_size=20, min_samples=10).cast(pl.Float64).fill_null(np.nan).to_numpy()
    return found


def test_means_and_medians_are_those_of_polars_over_the_sessions_before() -> None:
    volume = made_volumes(2, 45, 4)
    volume[0, 5:20, 2] = np.nan
    volume[1, 30, :] = 0.0
    np.testing.assert_allclose(mean_before(volume), _by_polars(volume, "mean"), rtol=1e-12)
    np.testing.assert_allclose(median_before(volume), _by_polars(volume, "median"), rtol=1e-12)
    np.testing.assert_array_equal(median_before(volume, 31), median_before(volume)[:, 31:])
    assert np.isnan(mean_before(volume)[0, 18, 2])


def test_the_mean_of_logs_is_the_log_of_the_geometric_mean() -> None:
    volume = made_volumes(1, 30, 3)
    found = np.exp(log_mean_before(np.log(volume)))[0, 29, 1]
    np.testing.assert_allclose(found, np.prod(volume[0, 9:29, 1] ** (1 / 20)))
