import numpy as np

from trading_platform.calc.volume.bands import QUANTILES, bands_of


def _errors(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    spread = np.array([0.2, 0.4, 0.8])[:, None, None] * np.where(np.arange(12) < 2, 2.0, 1.0)
    return spread * (random.exponential(size=(3, 120, 12)) - np.log(2.0))


def test_quantiles_hold_their_share_of_other_sessions_for_each_symbol_and_part_of_the_day() -> None:
    bands, after = bands_of(_errors(1)), np.exp(_errors(2))
    for at, share in enumerate(QUANTILES):
        below = after < bands.quantiles[at][:, None, :]
        np.testing.assert_allclose(below.mean(), share, atol=0.02)
        np.testing.assert_allclose(below.mean(axis=(1, 2)), share, atol=0.05)
        np.testing.assert_allclose(below[:, :, :2].mean(), share, atol=0.05)


def test_the_mean_is_that_of_what_comes() -> None:
    bands, after = bands_of(_errors(1)), np.exp(_errors(2))
    np.testing.assert_allclose(bands.mean[:2, 5], after[:2, :, 2:].mean(axis=(1, 2)), rtol=0.08)


def test_a_symbol_without_errors_takes_those_of_all_and_nothing_gives_nothing() -> None:
    errors = _errors(1)
    errors[1] = np.nan
    bands = bands_of(errors)
    assert np.all(np.isfinite(bands.quantiles))
    assert bands.quantiles[0, 0, 5] > bands.quantiles[0, 1, 5] > bands.quantiles[0, 2, 5]
    assert np.isnan(bands_of(np.full((2, 3, 4), np.nan)).mean).all()
