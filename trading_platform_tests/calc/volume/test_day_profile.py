import numpy as np

from trading_platform.calc.volume.day_profile import common_profile, day_profiles, medians_along, winsorise
from trading_platform_tests.calc.volume.made import made_volumes


def test_winsorising_draws_in_what_sticks_out_and_leaves_the_rest() -> None:
    logs = np.log(made_volumes(1, 40, 8))
    wild = logs.copy()
    wild[0, 7, 3] += np.log(10.0)
    drawn = winsorise(wild)
    assert drawn[0, 7, 3] < wild[0, 7, 3] - 0.5
    same = np.isclose(drawn, wild)
    assert same.mean() > 0.97
    np.testing.assert_array_equal(np.isnan(winsorise(np.where(logs > 10, np.nan, logs))), logs > 10)


def test_a_long_history_keeps_its_own_shape_and_a_short_one_is_smoothed() -> None:
    bins = 50
    truth = 0.6 * np.cos(np.linspace(0, 2 * np.pi, bins))
    truth -= truth.mean()
    rough = np.where(np.arange(bins) == 20, 0.8, 0.0)
    random = np.random.default_rng(2)

    def profile(sessions: int, shape: np.ndarray) -> np.ndarray:
        noise = 0.5 * random.standard_normal((4, sessions, bins))
        logs = 9.0 + shape + noise
        return day_profiles(logs, common_profile(logs))[0][0]

    short = profile(5, truth)
    own_error = 0.5 / np.sqrt(5)
    found = np.sqrt(np.mean((short - truth) ** 2))
    assert found < 0.7 * own_error, (found, own_error)
    spike = profile(300, truth + rough)
    assert spike[20] - spike[17] > 0.6


def test_levels_are_those_of_the_sessions_though_bins_are_missing() -> None:
    level = np.array([9.0, 10.0, 9.5, 11.0])
    shape = np.array([0.5, -0.25, -0.25, 0.0])
    logs = (level[:, None] + shape)[None].copy()
    logs[0, 1, 2:] = np.nan
    logs[0, 2, :] = np.nan
    both = np.repeat(logs, 2, axis=0)
    profile, found = day_profiles(both, common_profile(both))
    np.testing.assert_allclose(profile[0], shape, atol=0.02)
    np.testing.assert_allclose(found[0, [0, 1, 3]], level[[0, 1, 3]], atol=0.03)
    assert np.isnan(found[0, 2])


def test_medians_are_those_of_numpy_and_nothing_has_none() -> None:
    cube = np.random.default_rng(6).standard_normal((3, 4, 7))
    cube[0, 1, :5] = np.nan
    for axis in (1, 2):
        np.testing.assert_array_equal(medians_along(cube, axis), np.nanmedian(cube, axis=axis))
    cube[2, 3] = np.nan
    assert np.isnan(medians_along(cube, 2)[2, 3])
