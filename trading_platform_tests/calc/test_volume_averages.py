import numpy as np

from trading_platform.calc.volume_averages import volume_averages


def test_means_are_of_the_last_sessions_of_each_instrument() -> None:
    random = np.random.default_rng(2)
    volumes, closes = random.integers(1, 9999, (60, 3)).astype(float), random.uniform(10, 99, (60, 3))
    volumes[5, 1] = np.nan
    closes[10:50, 2] = np.nan
    made = volume_averages(volumes, closes)
    for name in range(3):
        known = [v for v in volumes[:, name].tolist() if not np.isnan(v)]
        assert made.volume_20[name] == np.mean(known[-20:])
        assert made.volume_55[name] == np.mean(known[-55:])
    np.testing.assert_allclose(made.price_20[:2], closes[-20:, :2].mean(axis=0), rtol=1e-14)
    assert made.price_20[2] == np.mean([*closes[:10, 2], *closes[50:, 2]])
    assert np.isnan(made.price_55[2])
    assert made.turtle_ready.tolist() == [True, True, False]


def test_a_short_history_has_no_mean() -> None:
    made = volume_averages(np.ones((19, 1)), np.ones((19, 1)))
    assert np.isnan([made.volume_20, made.volume_55, made.price_20, made.price_55]).all()
    assert not made.turtle_ready.any()
    assert np.isnan(volume_averages(np.ones((0, 1)), np.ones((0, 1))).volume_20).all()
