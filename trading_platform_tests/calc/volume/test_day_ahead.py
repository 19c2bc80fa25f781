import numpy as np

from trading_platform.calc import live_forecast as live
from trading_platform.calc.volume.day_ahead import forecast_day
from trading_platform.calc.volume.day_panel import panel_day_ahead
from trading_platform.calc.volume.day_profile import common_profile
from trading_platform.calc.volume.robust_kalman import fit_robust, run_robust
from trading_platform_tests.calc.volume.made import made_volumes


def test_volumes_without_noise_are_forecast_exactly() -> None:
    shape = 100.0 * (1.0 + np.arange(12)) ** 0.5
    size = np.array([1.0, 7.0, 0.3])
    volume = np.broadcast_to(size[:, None, None] * shape, (3, 11, 12))
    ahead = forecast_day(np.log(volume), with_filters=True)
    np.testing.assert_allclose(ahead.median, size[:, None] * shape, rtol=1e-6)
    np.testing.assert_allclose(ahead.mean_factor, 1.0, atol=1e-4)
    np.testing.assert_allclose(ahead.quantile_factors, 1.0, atol=1e-4)


def test_it_is_nearer_than_the_median_of_past_sessions_and_its_band_holds() -> None:
    volume = made_volumes(24, 41, 26, shared=0.0)
    past, came = volume[:, :40], volume[:, 40]
    ahead = forecast_day(np.log(past), with_filters=False)
    assert ahead.filters is None
    ours, theirs = (np.abs(np.log(one / came)).mean() for one in (ahead.median, np.median(past, axis=1)))
    assert ours < theirs
    assert abs(np.log(ahead.median / came).mean()) < 0.15
    below = [float(np.mean(came < factors * ahead.median)) for factors in ahead.quantile_factors]
    np.testing.assert_allclose(below, [0.1, 0.25, 0.75, 0.9], atol=0.08)


def test_means_hold_over_many_sessions() -> None:
    # of bins of one size, one in four without a trade: the mean is that of all bins, the median of those that trade
    random = np.random.default_rng(3)
    logs = 6.0 + 0.8 * random.standard_normal((40, 30, 20))
    logs[random.random(logs.shape) < 0.25] = np.nan
    ahead = forecast_day(logs, with_filters=False)
    assert abs(ahead.median.mean() / np.exp(6.0) - 1.0) < 0.04
    wanted = 0.75 * np.exp(6.0 + 0.8**2 / 2)
    assert abs((ahead.median * ahead.mean_factor).mean() / wanted - 1.0) < 0.04


def test_filters_start_at_the_forecast_with_what_moved_the_volumes() -> None:
    volume = made_volumes(30, 24, 60, shared=0.0)
    filters = forecast_day(np.log(volume), with_filters=True).filters
    assert filters is not None
    found = dict(enumerate(filters.mean(axis=0)))
    # as made: a deviation of which .6 is left a bin later, moved by .2, under noise of .25
    assert abs(found[live.KEEP_DEVIATION] - 0.6) < 0.1
    assert abs(found[live.DEVIATION_NOISE] - 0.04) < 0.015
    assert abs(found[live.NOISE] - 0.0625) < 0.015
    assert not filters[:, [live.LEVEL, live.DEVIATION]].any()
    assert (filters[:, [live.VAR_LL, live.VAR_DD]] > 0.0).all()
    assert (filters[:, live.VAR_LL] * filters[:, live.VAR_DD] >= filters[:, live.VAR_LD] ** 2).all()


def test_each_symbol_has_the_model_that_missed_less_on_its_last_third() -> None:
    logs = np.log(made_volumes(20, 12, 26, seed=9))
    fit = fit_robust(logs[:, :8], common_profile(logs[:, :8]), around_mean=True)
    missed = [
        np.abs(logs[:, 8:] - forecast)
        for forecast in (run_robust(fit, logs).day_ahead[:, 8:], panel_day_ahead(logs, 8)[:, :-1])
    ]
    gain = missed[0] - missed[1]
    # what is better for all counts like ten sessions of its own
    wanted = gain.sum(axis=(1, 2)) + 10 * 26 * gain.mean() > 0.0
    assert set(wanted.tolist()) == {True, False}
    assert forecast_day(logs, with_filters=False).by_panel.tolist() == wanted.tolist()


def test_surprises_are_read_on_the_scale_of_the_time_of_day_they_come_at() -> None:
    volume = made_volumes(40, 24, 65, shared=0.0)
    wild = np.random.default_rng(8).standard_normal(volume.shape)
    wild[:, :, :33] = 0.0
    filters = forecast_day(np.log(volume) + 1.2 * wild, with_filters=True).filters
    assert filters is not None
    scales = filters[:, live.SCALES :].mean(axis=0)
    assert scales[9:].min() > 1.7 * scales[1:8].max()
    assert (filters[:, live.STIRRED] >= 1.0).all()
    # the day behind, made the same way: as few lie above 2 early as late
    level = np.ones((40, 65))
    came = np.exp(np.log(made_volumes(40, 25, 65, shared=0.0, seed=5)))[:, -1]
    usual = np.median(came, axis=0)
    volumes = came / usual / np.median(came / usual, axis=1, keepdims=True)
    noise = np.random.default_rng(9).standard_normal(volumes.shape)
    noise[:, :33] = 0.0
    bars = np.argwhere(level > 0.0)
    read = live.forecast_scan(
        bars, (volumes * np.exp(1.2 * noise)).ravel(), level, live.filters_at_open(filters, level)
    )
    high = (read[:, 1] > 2.0).reshape(level.shape)
    assert 0.005 < high[:, 1:33].mean() < 0.07
    assert 0.005 < high[:, 33:].mean() < 0.07
