"""Print how fast the volume filter is beside statsmodels', how long 2,000 fits take, and in what memory minutes fit.

`python -m trading_platform_tests.benchmarks.bench_volume`; limits: 30 times statsmodels with an equal log-likelihood;
120 s on one core for 2,000 symbols x 120 sessions x 26 bins, symbols fitted together as each alone; 2 GB for the panel
of 2,000 symbols x 60 sessions of minutes, one step of whose fit is repeated alike.
"""

import resource
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.statespace.mlemodel import MLEModel

from trading_platform.calc.volume.kalman_filter import STATE_FIELDS, UNCLIPPED, filter_logs
from trading_platform.calc.volume.kalman_fit import OWN_PROFILE, SMALL_STEP, fit_symbols, start_parameters
from trading_platform.calc.volume.models import logs_of
from trading_platform.calc.volume.panel_forecast import fit_panel, forecast_panel
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform_tests.calc.volume.made import made_volumes

SYMBOLS, SESSIONS, BINS = 2000, 120, 26
MINUTES, MINUTE_SESSIONS = 6 * 60 + 15, 60
WANTED_RATIO, LIMIT_SECONDS, LIMIT_MB = 30.0, 120.0, 2048
ROUNDS = 20


def seconds_since(begun: int) -> float:
    """Return the seconds since a reading of the monotonic clock."""
    return (elapsed_ns() - begun) / NS_PER_SECOND


def oracle(logs: NDArray[np.float64], profile: NDArray[np.float64], parameters: NDArray[np.float64]) -> MLEModel:
    """Write our model in the matrices of statsmodels."""
    count, bins = len(logs), len(profile)
    overnight = (np.arange(1, count + 1) % bins) == 0
    model = MLEModel(logs - np.tile(profile, count // bins), k_states=2, k_posdef=2)
    transition, step = np.zeros((2, 2, count)), np.zeros((2, 2, count))
    transition[0, 0], transition[1, 1] = np.where(overnight, parameters[0], 1.0), parameters[1]
    step[0, 0], step[1, 1] = np.where(overnight, parameters[2], 0.0), parameters[3]
    model["design"], model["obs_cov"] = np.array([[1.0, 1.0]]), np.array([[parameters[4]]])
    model["transition"], model["state_cov"], model["selection"] = transition, step, np.eye(2)
    first = np.array([[parameters[7], parameters[8]], [parameters[8], parameters[9]]])
    model.ssm.initialize_known(parameters[5:7], first)
    return model


def compare_filters() -> bool:
    """Print the ratio to statsmodels' filter; tell whether it is great enough and the likelihoods are equal."""
    logs = np.log(made_volumes(1, SESSIONS, BINS)).reshape(1, -1)
    profiles, parameters = np.zeros((1, BINS)), start_parameters(logs)
    fit_symbols(logs, profiles, parameters, OWN_PROFILE, SMALL_STEP)
    model = oracle(logs[0], profiles[0], parameters[0])
    ahead, filtered = np.empty((len(logs[0]), STATE_FIELDS)), np.empty((len(logs[0]), STATE_FIELDS))
    variance = np.empty(len(logs[0]))

    def ours() -> float:
        return filter_logs(logs[0], profiles[0], parameters[0], UNCLIPPED, ahead, filtered, variance)

    def theirs() -> float:
        return float(model.ssm.filter().llf)

    equal = bool(np.isclose(ours(), theirs(), rtol=1e-9))
    took = []
    for run in (ours, theirs):
        rounds = []
        for _ in range(ROUNDS):
            begun = elapsed_ns()
            run()
            rounds.append(elapsed_ns() - begun)
        took.append(min(rounds))
    ratio = took[1] / took[0]
    sys.stdout.write(
        f"filter {took[0] / len(logs[0]):8.1f} ns a bin, statsmodels {took[1] / len(logs[0]):8.1f}: {ratio:.0f} times, "
        f"log-likelihood {'equal' if equal else 'DIFFERENT'}\n"
    )
    return equal and ratio >= WANTED_RATIO


def fit_many() -> bool:
    """Print how long 2,000 fits take; tell whether that is within the limit and fits do not depend on each other."""
    logs = np.log(made_volumes(SYMBOLS, SESSIONS, BINS)).reshape(SYMBOLS, -1)
    profiles, parameters = np.zeros((SYMBOLS, BINS)), start_parameters(logs)
    begun = elapsed_ns()
    steps = fit_symbols(logs, profiles, parameters, OWN_PROFILE, SMALL_STEP)
    took = seconds_since(begun)
    alone, alone_profile = start_parameters(logs[-1:]), np.zeros((1, BINS))
    fit_symbols(logs[-1:], alone_profile, alone, OWN_PROFILE, SMALL_STEP)
    equal = bool(np.array_equal(alone[0], parameters[-1]) and np.array_equal(alone_profile[0], profiles[-1]))
    sys.stdout.write(
        f"fits   {SYMBOLS} x {SESSIONS} x {BINS}: {took:.1f} s of {LIMIT_SECONDS:g}, {steps.mean():.0f} steps each, "
        f"{'equal' if equal else 'DIFFERENT'} alone\n"
    )
    return equal and took <= LIMIT_SECONDS


def fit_minutes(symbols: int = SYMBOLS) -> bool:
    """Print time and greatest memory of a panel of minutes; tell whether it is within the limit and finite."""
    one = made_volumes(20, MINUTE_SESSIONS + 1, MINUTES).astype(np.float32)
    volume = np.concatenate([one * np.float32(1 + 0.001 * part) for part in range(symbols // 20)])
    logs = logs_of(volume)
    del volume, one
    begun = elapsed_ns()
    fit = fit_panel(logs[:, :MINUTE_SESSIONS])
    fitted = seconds_since(begun)
    found = forecast_panel(fit, logs)
    took, size = seconds_since(begun), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    # the parts are the same symbols, a little larger each: so are their forecasts
    shifted = found.one_bin[20:40] - np.log(1.001) - found.one_bin[:20]
    equal = bool(np.isfinite(found.rest).all() and np.abs(shifted).max() < 1e-2)
    sys.stdout.write(
        f"panel  {symbols} x {MINUTE_SESSIONS} x {MINUTES}: fit {fitted:.1f} s, with a day {took:.1f} s, {size} MB of "
        f"{LIMIT_MB}, {'equal' if equal else 'DIFFERENT'} for equal symbols\n"
    )
    return equal and size <= LIMIT_MB


def main() -> None:
    """Run all of it, minutes in a process of their own: its greatest memory is what is asked for."""
    held = [compare_filters(), fit_many()]
    command = [sys.executable, "-m", "trading_platform_tests.benchmarks.bench_volume", "minutes"]
    held.append(subprocess.run(command, check=False).returncode == 0)
    sys.stdout.write(f"{'within' if all(held) else 'BEYOND'} the limits\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["minutes"]:
        raise SystemExit(0 if fit_minutes() else 1)
    main()
