import numpy as np

from trading_platform.calc.volume.market_panel import (
    Moments,
    add_markets,
    apply,
    bin_features,
    day_features,
    groups_of,
    known_of,
)

SHAPE = (5, 9, 4)
VARIANCE = np.full(SHAPE, 0.04)
BY_BIN, BY_SESSION = 2, 1


def _known(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    residual = 0.3 * random.standard_normal(SHAPE)
    residual[random.random(SHAPE) < 0.1] = np.nan
    return residual, 0.1 * random.standard_normal(SHAPE)


def test_blocks_of_symbols_add_up_to_one_market() -> None:
    residual, forecast = _known()
    together = known_of(residual, forecast, VARIANCE).market
    parts = [known_of(residual[rows], forecast[rows], VARIANCE[rows]).market for rows in (slice(0, 2), slice(2, 5))]
    added = add_markets(parts)
    for name in ("surprise", "residual", "count", "level", "level_count"):
        np.testing.assert_allclose(getattr(added, name), getattr(together, name), atol=1e-12)


def test_others_leave_the_symbol_itself_out() -> None:
    residual, forecast = _known()
    known = known_of(residual, forecast, VARIANCE)
    others = known.market.others(known.surprise, known.market.surprise)
    mine = known.surprise[1:, 3, 2]
    expected = np.nansum(mine) / (np.sum(~np.isnan(mine)) + 3.0)
    np.testing.assert_allclose(others[0, 3, 2], expected)


def test_features_of_a_bin_do_not_know_it() -> None:
    residual, forecast = _known()
    noisy = residual.copy()
    noisy[:, 6, 2:] = 7.0
    noisy[:, 7:] = -7.0
    found = []
    for given in (residual, noisy):
        known = known_of(given, forecast, VARIANCE)
        found.append((bin_features(known, known.market, forecast, forecast), day_features(known, known.market)))
    np.testing.assert_array_equal(found[0][0][:, 6, : BY_BIN + 1], found[1][0][:, 6, : BY_BIN + 1])
    np.testing.assert_array_equal(found[0][1][:, : 6 + BY_SESSION], found[1][1][:, : 6 + BY_SESSION])
    assert not np.array_equal(found[0][0][:, 6, 3], found[1][0][:, 6, 3])


def test_the_regression_is_that_of_least_squares_where_nothing_is_clipped() -> None:
    random = np.random.default_rng(7)
    features = random.standard_normal((5000, 3))
    noise = random.uniform(-0.2, 0.2, 5000)
    target = 0.4 + features @ np.array([0.05, -0.02, 0.0]) + noise
    target[:10] = np.nan
    moments = Moments(3)
    for rows in (slice(0, 2000), slice(2000, 5000)):
        moments.add(features[None, rows], target[None, rows])
    design = np.c_[np.ones(4990), features[10:]]
    expected = np.linalg.lstsq(design, target[10:], rcond=None)[0]
    np.testing.assert_allclose(moments.solve(), expected, atol=2e-3)
    np.testing.assert_allclose(apply(np.array([1.0, 2.0]), np.full((2, 2, 2, 1), 3.0)), 7.0)
    assert not Moments(2).solve().any()


def test_all_bins_are_in_one_group() -> None:
    for bins in (1, 2, 7, 26, 400):
        covered = [at for group in groups_of(bins) for at in range(bins)[group]]
        assert covered == list(range(bins))
