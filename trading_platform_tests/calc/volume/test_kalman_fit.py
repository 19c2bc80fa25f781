import numpy as np
import pytest

from trading_platform.calc.volume.kalman_filter import KEEP_DEVIATION, KEEP_LEVEL
from trading_platform.calc.volume.kalman_fit import (
    GIVEN_PROFILE,
    OWN_PROFILE,
    SMALL_STEP,
    WORK_FIELDS,
    em_step,
    fit_symbols,
    start_parameters,
)
from trading_platform_tests.calc.volume.made import made_volumes


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("which", [OWN_PROFILE, GIVEN_PROFILE])
def test_each_step_raises_the_likelihood(missing: float, which: bool) -> None:
    random = np.random.default_rng(4)
    logs = np.log(made_volumes(1, 25, 8))[0].ravel()
    # unevenly missing: some bins are seen much less often than others
    logs[random.random(len(logs)) < missing * np.tile(np.linspace(0.1, 2.0, 8), 25)] = np.nan
    profile, parameters = np.zeros(8), start_parameters(logs[None])[0]
    work = np.empty((len(logs), WORK_FIELDS))
    likelihoods = [em_step(logs, profile, parameters, which, work) for _ in range(60)]
    assert np.all(np.diff(likelihoods) > -1e-7)
    assert likelihoods[-1] > likelihoods[0] + 10


def test_a_fit_finds_what_the_volumes_were_made_with() -> None:
    logs = np.log(made_volumes(1, 400, 10, noise=0.1))[0].ravel()
    logs -= logs.mean()
    profiles, parameters = np.zeros((1, 10)), start_parameters(logs[None])
    fit_symbols(logs[None], profiles, parameters, OWN_PROFILE, SMALL_STEP)
    assert parameters[0, KEEP_LEVEL] == pytest.approx(0.7, abs=0.12)
    assert parameters[0, KEEP_DEVIATION] == pytest.approx(0.6, abs=0.05)
    np.testing.assert_allclose(profiles[0], 0.6 * np.cos(np.linspace(0, 2 * np.pi, 10)) - 0.06, atol=0.05)


def test_symbols_are_fitted_each_for_itself_and_alike_every_time() -> None:
    logs = np.log(made_volumes(3, 20, 6)).reshape(3, -1)

    def fitted(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        part = np.ascontiguousarray(logs[rows])
        profiles, parameters = np.zeros((len(part), 6)), start_parameters(part)
        steps = fit_symbols(part, profiles, parameters, OWN_PROFILE, SMALL_STEP)
        assert np.all(steps > 1)
        return profiles, parameters

    everything, alone = fitted(slice(0, 3)), fitted(slice(1, 2))
    np.testing.assert_array_equal(everything[0][1:2], alone[0])
    np.testing.assert_array_equal(everything[1][1:2], alone[1])
