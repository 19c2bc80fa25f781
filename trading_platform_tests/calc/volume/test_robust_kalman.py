import numpy as np

from trading_platform.calc.volume.day_profile import common_profile
from trading_platform.calc.volume.kalman_filter import DEVIATION, LEVEL, NOISE, VAR_DD, VAR_LD, VAR_LL
from trading_platform.calc.volume.robust_kalman import fit_robust, rest_robust, run_robust, state_after
from trading_platform_tests.calc.volume.made import made_volumes


def _error(history: np.ndarray, clean: np.ndarray, seen: int) -> float:
    seen_logs = np.log(history[:, :seen])
    fit = fit_robust(seen_logs, common_profile(seen_logs), around_mean=True)
    forecast = run_robust(fit, np.log(history)).one_bin[:, seen:]
    return float(np.mean(np.abs(forecast - np.log(clean[:, seen:]))))


def test_bins_multiplied_by_ten_hardly_move_it() -> None:
    clean = made_volumes(3, 60, 10)
    random = np.random.default_rng(9)
    wrong = np.where(random.random(clean.shape) < 0.02, 10.0 * clean, clean)
    assert _error(wrong, clean, 45) < 1.06 * _error(clean, clean, 45)


def test_a_second_fit_that_begins_with_the_first_ends_where_it_was() -> None:
    logs = np.log(made_volumes(2, 30, 6))
    common = common_profile(logs)
    first = fit_robust(logs, common, around_mean=False)
    again = fit_robust(logs, common, around_mean=False, start=first.parameters)
    np.testing.assert_allclose(again.parameters[:, :5], first.parameters[:, :5], atol=5e-3)
    known = np.where(np.arange(2)[:, None] == 0, first.parameters, np.nan)
    partly = fit_robust(logs, common, around_mean=False, start=known)
    np.testing.assert_array_equal(partly.parameters[1], first.parameters[1])


def test_the_rest_of_a_day_is_near_what_comes() -> None:
    volume = made_volumes(4, 60, 10)
    logs = np.log(volume)
    fit = fit_robust(logs[:, :45], common_profile(logs[:, :45]), around_mean=True)
    expected = rest_robust(fit, logs)[:, 45:]
    actual = np.cumsum(volume[:, 45:, ::-1], axis=2)[:, :, ::-1]
    assert abs(np.median(np.log(expected / actual))) < 0.1
    assert np.all(np.diff(expected[:, :, -3:], axis=2).mean(axis=1) < 0)


def test_the_state_after_a_fit_is_where_the_next_day_begins() -> None:
    logs = np.log(made_volumes(3, 10, 12))
    fit = fit_robust(logs, common_profile(logs), around_mean=False)
    unseen = np.full((3, 1, 12), np.nan)
    run, state = run_robust(fit, np.concatenate([logs, unseen], axis=1)), state_after(fit)
    at_open = state[:, LEVEL] + state[:, DEVIATION] + fit.profile[:, 0] + fit.center
    np.testing.assert_allclose(at_open, run.one_bin[:, 10, 0], rtol=1e-12)
    spread = state[:, VAR_LL] + 2 * state[:, VAR_LD] + state[:, VAR_DD] + fit.parameters[:, NOISE]
    np.testing.assert_allclose(spread, run.variance[:, 10, 0], rtol=1e-12)
