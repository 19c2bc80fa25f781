import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.tsa.statespace.mlemodel import MLEModel

from trading_platform.calc.volume.kalman_filter import (
    STATE_FIELDS,
    UNCLIPPED,
    filter_logs,
    forecast_days,
    forecast_rest,
)

BINS, DAYS = 6, 12
PARAMETERS = np.array([0.8, 0.6, 0.05, 0.04, 0.03, 0.1, -0.05, 0.2, 0.01, 0.1])
PROFILE = np.array([0.7, 0.1, -0.3, -0.4, -0.3, 0.2])


def _logs(seed: int = 3, missing: float = 0.1) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    logs = np.tile(PROFILE, DAYS) + 0.5 * random.standard_normal(DAYS * BINS)
    return np.where(random.random(len(logs)) < missing, np.nan, logs)


def _oracle(logs: NDArray[np.float64]) -> MLEModel:
    """Write the same model in the matrices of statsmodels: its transition at t leads from t to t + 1."""
    count = len(logs)
    overnight = (np.arange(1, count + 1) % BINS) == 0
    model = MLEModel(logs - np.tile(PROFILE, DAYS), k_states=2, k_posdef=2)
    transition, step = np.zeros((2, 2, count)), np.zeros((2, 2, count))
    transition[0, 0], transition[1, 1] = np.where(overnight, PARAMETERS[0], 1.0), PARAMETERS[1]
    step[0, 0], step[1, 1] = np.where(overnight, PARAMETERS[2], 0.0), PARAMETERS[3]
    model["design"], model["obs_cov"] = np.array([[1.0, 1.0]]), np.array([[PARAMETERS[4]]])
    model["transition"], model["state_cov"] = transition, step
    model["selection"] = np.eye(2)
    first = np.array([[PARAMETERS[7], PARAMETERS[8]], [PARAMETERS[8], PARAMETERS[9]]])
    model.ssm.initialize_known(PARAMETERS[5:7], first)
    return model


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_likelihood_and_states_are_those_of_statsmodels(missing: float) -> None:
    logs = _logs(missing=missing)
    ahead, filtered = np.empty((len(logs), STATE_FIELDS)), np.empty((len(logs), STATE_FIELDS))
    variance = np.empty(len(logs))
    likelihood = filter_logs(logs, PROFILE, PARAMETERS, UNCLIPPED, ahead, filtered, variance)
    theirs = _oracle(logs).ssm.filter()
    np.testing.assert_allclose(likelihood, theirs.llf, rtol=1e-10)
    np.testing.assert_allclose(filtered[:, :2].T, theirs.filtered_state, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(filtered[:, 2], theirs.filtered_state_cov[0, 0], rtol=1e-7)
    np.testing.assert_allclose(ahead[:, 3], theirs.predicted_state_cov[0, 1, :-1], rtol=1e-6, atol=1e-12)
    seen = ~np.isnan(logs)
    np.testing.assert_allclose(variance[seen], theirs.forecasts_error_cov[0, 0][seen], rtol=1e-7)


def _forecasts(logs: NDArray[np.float64], clip: float = UNCLIPPED) -> list[NDArray[np.float64]]:
    found = [np.empty((DAYS, BINS)) for _ in range(3)]
    forecast_days(logs, PROFILE, PARAMETERS, clip, *found)
    return found


def test_the_forecast_from_the_evening_before_is_the_filter_over_a_day_without_bars() -> None:
    logs = _logs()
    day = 5
    without = logs.copy()
    without[day * BINS :] = np.nan
    one_bin, day_ahead, _ = _forecasts(logs)
    blind, _, _ = _forecasts(without)
    np.testing.assert_allclose(day_ahead[day], blind[day], rtol=1e-12)
    assert not np.allclose(one_bin[day], blind[day])


def test_a_clipped_surprise_counts_as_one_at_the_limit() -> None:
    logs = _logs(missing=0.0)
    one_bin, _, variance = _forecasts(logs, 2.5)
    wild, held = logs.copy(), logs.copy()
    wild[40] += 9.0
    held[40] = one_bin.ravel()[40] + 2.5 * np.sqrt(variance.ravel()[40])
    np.testing.assert_allclose(_forecasts(wild, 2.5)[0].ravel()[41], _forecasts(held, 2.5)[0].ravel()[41], rtol=1e-9)


def test_the_clipped_filter_is_the_plain_one_with_each_step_shrunk_by_the_share_that_was_taken() -> None:
    logs, clip = _logs(seed=5), 1.2
    ahead, filtered = np.empty((len(logs), STATE_FIELDS)), np.empty((len(logs), STATE_FIELDS))
    variance = np.empty(len(logs))
    filter_logs(logs, PROFILE, PARAMETERS, clip, ahead, filtered, variance)
    seen, clipped = np.ones(2), 0
    mean = PARAMETERS[5:7].copy()
    cover = np.array([[PARAMETERS[7], PARAMETERS[8]], [PARAMETERS[8], PARAMETERS[9]]])
    for at, log in enumerate(logs):
        if at:
            night = at % BINS == 0
            move = np.diag([PARAMETERS[0] if night else 1.0, PARAMETERS[1]])
            mean = move @ mean
            cover = move @ cover @ move.T + np.diag([PARAMETERS[2] if night else 0.0, PARAMETERS[3]])
        if not np.isnan(log):
            spread = seen @ cover @ seen + PARAMETERS[4]
            error = log - PROFILE[at % BINS] - seen @ mean
            share = min(1.0, clip * np.sqrt(spread) / abs(error))
            clipped += share < 1.0
            gain = cover @ seen / spread
            mean = mean + gain * error * share
            cover = cover - share * np.outer(gain, gain) * spread
        np.testing.assert_allclose(filtered[at], [*mean, cover[0, 0], cover[0, 1], cover[1, 1]], rtol=1e-9, atol=1e-12)
    assert clipped > 5


def test_the_rest_of_the_day_sums_what_each_bin_is_expected_to_bring() -> None:
    logs = _logs()
    rest = np.empty((DAYS, BINS))
    forecast_rest(logs, PROFILE, PARAMETERS, UNCLIPPED, rest)
    day, bin_ = 7, 2
    without = logs.copy()
    without[day * BINS + bin_ :] = np.nan
    blind = _forecasts(without)[0][day, bin_:]
    own = 0.5 * (PARAMETERS[4] + PARAMETERS[3] / (1.0 - PARAMETERS[1] ** 2))
    # a deviation that has faded below a thousandth is left out
    np.testing.assert_allclose(rest[day, bin_], np.exp(blind + own).sum(), rtol=2e-3)


def test_a_bin_that_is_unknown_has_no_forecast_and_disturbs_no_other() -> None:
    logs = _logs()
    profile = PROFILE.copy()
    profile[4] = np.nan
    found = [np.empty((DAYS, BINS)) for _ in range(3)]
    forecast_days(logs, profile, PARAMETERS, UNCLIPPED, *found)
    assert np.isnan(found[0][:, 4]).all()
    assert not np.isnan(np.delete(found[0], 4, axis=1)).any()
