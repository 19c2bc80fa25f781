"""Fit the filter of `kalman_filter` by expectation and maximisation, in closed form (Chen, Feng and Palomar 2016).

Every step raises the likelihood. It starts from a profile of bin means and small variances.
"""

import numpy as np

from trading_platform.calc.kernel import Matrix, Row, inner_kernel, kernel
from trading_platform.calc.volume.kalman_filter import (
    DEVIATION,
    DEVIATION_NOISE,
    FIRST_LEVEL,
    KEEP_DEVIATION,
    KEEP_LEVEL,
    LEVEL,
    LEVEL_NOISE,
    NOISE,
    STATE_FIELDS,
    UNCLIPPED,
    VAR_DD,
    VAR_LD,
    VAR_LL,
    Logs,
    copy_state,
    filter_logs,
)

MOST_STEPS = 600
SMALL_STEP = 1e-4
LEAST_VARIANCE = 1e-8
OWN_PROFILE, GIVEN_PROFILE = False, True
"""Whether the profile is fitted too."""
_START = (1.0, 0.0, 1e-4, 1e-4, 1e-4, 0.0, 0.0, 1e-3, 0.0, 1e-5)

_DAYS, _BEFORE, _CROSS, _NOW = 0, 1, 2, 3
"""Sums over steps of one state variable: how many, E[x x] before and after, E[x before x after]."""


@inner_kernel
def _smooth_back(later: Row, ahead: Row, filtered: Row, parameters: Row, overnight: bool, cross: Row) -> None:  # noqa: FBT001
    """Turn the smoothed state of the next bin, `later`, into that of this bin; `cross` takes their covariances."""
    level = parameters[KEEP_LEVEL] if overnight else 1.0
    keep = parameters[KEEP_DEVIATION]
    determinant = max(ahead[VAR_LL] * ahead[VAR_DD] - ahead[VAR_LD] ** 2, 1e-300)
    u00, u01 = filtered[VAR_LL] * level, filtered[VAR_LD] * keep
    u10, u11 = filtered[VAR_LD] * level, filtered[VAR_DD] * keep
    g00 = (u00 * ahead[VAR_DD] - u01 * ahead[VAR_LD]) / determinant
    g01 = (u01 * ahead[VAR_LL] - u00 * ahead[VAR_LD]) / determinant
    g10 = (u10 * ahead[VAR_DD] - u11 * ahead[VAR_LD]) / determinant
    g11 = (u11 * ahead[VAR_LL] - u10 * ahead[VAR_LD]) / determinant
    cross[LEVEL] = later[VAR_LL] * g00 + later[VAR_LD] * g01
    cross[DEVIATION] = later[VAR_LD] * g10 + later[VAR_DD] * g11
    d0, d1 = later[LEVEL] - ahead[LEVEL], later[DEVIATION] - ahead[DEVIATION]
    d00, d01, d11 = later[VAR_LL] - ahead[VAR_LL], later[VAR_LD] - ahead[VAR_LD], later[VAR_DD] - ahead[VAR_DD]
    t00, t01, t10, t11 = g00 * d00 + g01 * d01, g00 * d01 + g01 * d11, g10 * d00 + g11 * d01, g10 * d01 + g11 * d11
    later[LEVEL] = filtered[LEVEL] + g00 * d0 + g01 * d1
    later[DEVIATION] = filtered[DEVIATION] + g10 * d0 + g11 * d1
    later[VAR_LL] = filtered[VAR_LL] + t00 * g00 + t01 * g01
    later[VAR_LD] = filtered[VAR_LD] + t00 * g10 + t01 * g11
    later[VAR_DD] = filtered[VAR_DD] + t10 * g10 + t11 * g11


@inner_kernel
def _count_step(sums: Row, value: float, spread: float, earlier: float, earlier_spread: float, cross: float) -> None:
    sums[_DAYS] += 1.0
    sums[_NOW] += spread + value * value
    sums[_BEFORE] += earlier_spread + earlier * earlier
    sums[_CROSS] += cross + value * earlier


@inner_kernel
def _set_dynamics(parameters: Row, sums: Row, keep: int, noise: int) -> None:
    """Set a coefficient and the variance of its step to what maximises the expected likelihood."""
    if sums[_DAYS] > 0.0 and sums[_BEFORE] > 0.0:
        ratio = sums[_CROSS] / sums[_BEFORE]
        left = sums[_NOW] + ratio * ratio * sums[_BEFORE] - 2.0 * ratio * sums[_CROSS]
        parameters[keep] = ratio
        parameters[noise] = max(left / sums[_DAYS], LEAST_VARIANCE)


@inner_kernel
def _set_profile(logs: Logs, explained: Row, profile: Row) -> None:
    """Set the profile to the mean of what the state leaves unexplained in each bin, so that it sums to zero.

    What it must give up for that is shared by the bins as one over their observations: the likelihood then still rises.
    """
    bins = len(profile)
    total, count, excess, room = np.zeros(bins), np.zeros(bins), 0.0, 0.0
    for at in range(len(logs)):
        if logs[at] == logs[at]:
            total[at % bins] += logs[at] - explained[at]
            count[at % bins] += 1.0
    for bin_ in range(bins):
        if count[bin_] > 0.0:
            excess += total[bin_] / count[bin_]
            room += 1.0 / count[bin_]
    for bin_ in range(bins):
        if count[bin_] > 0.0:
            profile[bin_] = (total[bin_] - excess / room) / count[bin_]


@inner_kernel
def _set_noise(logs: Logs, explained: Row, spread: Row, profile: Row, parameters: Row) -> None:
    bins, total, count = len(profile), 0.0, 0
    for at in range(len(logs)):
        left = logs[at] - explained[at] - profile[at % bins]
        if left == left:
            total += left * left + spread[at]
            count += 1
    if count > 0:
        parameters[NOISE] = max(total / count, LEAST_VARIANCE)


@kernel
def em_step(logs: Logs, profile: Row, parameters: Row, fixed_profile: bool, work: Matrix) -> float:  # noqa: FBT001
    """Improve `profile` and `parameters` in place; return the log-likelihood that they had before.

    `work` has shape (len(logs), WORK_FIELDS).
    """
    count, bins = len(logs), len(profile)
    ahead, filtered = work[:, :STATE_FIELDS], work[:, STATE_FIELDS : 2 * STATE_FIELDS]
    explained, spread = work[:, 2 * STATE_FIELDS], work[:, 2 * STATE_FIELDS + 1]
    likelihood = filter_logs(logs, profile, parameters, UNCLIPPED, ahead, filtered, spread)
    later, cross, before = filtered[count - 1].copy(), np.zeros(2), np.zeros(STATE_FIELDS)
    nights, steps = np.zeros(4), np.zeros(4)
    for at in range(count - 1, -1, -1):
        if at < count - 1:
            overnight = (at + 1) % bins == 0
            copy_state(later, before)
            _smooth_back(later, ahead[at + 1], filtered[at], parameters, overnight, cross)
            if overnight:
                _count_step(nights, before[LEVEL], before[VAR_LL], later[LEVEL], later[VAR_LL], cross[LEVEL])
            _count_step(steps, before[DEVIATION], before[VAR_DD], later[DEVIATION], later[VAR_DD], cross[DEVIATION])
        explained[at] = later[LEVEL] + later[DEVIATION]
        spread[at] = later[VAR_LL] + 2.0 * later[VAR_LD] + later[VAR_DD]
    if not fixed_profile:
        _set_profile(logs, explained, profile)
    _set_noise(logs, explained, spread, profile, parameters)
    _set_dynamics(parameters, nights, KEEP_LEVEL, LEVEL_NOISE)
    _set_dynamics(parameters, steps, KEEP_DEVIATION, DEVIATION_NOISE)
    for field in range(STATE_FIELDS):
        parameters[FIRST_LEVEL + field] = later[field]
    return likelihood


WORK_FIELDS = 2 * STATE_FIELDS + 2


@kernel
def fit_symbols(logs: Matrix, profiles: Matrix, parameters: Matrix, fixed_profile: bool, small_step: float) -> Row:  # noqa: FBT001
    """Fit each row of `logs` (symbols, whole days of bins), in place; return how many steps each took."""
    symbols = len(profiles)
    steps = np.zeros(symbols)
    work = np.empty((logs.shape[1], WORK_FIELDS))
    for row in range(symbols):
        for step in range(MOST_STEPS):
            old, old_profile = parameters[row].copy(), profiles[row].copy()
            em_step(logs[row], profiles[row], parameters[row], fixed_profile, work)
            moved = np.max(np.abs(profiles[row] - old_profile))
            for field in range(FIRST_LEVEL):
                moved = max(moved, abs(parameters[row, field] - old[field]))
            steps[row] = step + 1
            if moved < small_step:
                break
    return steps


def start_parameters(logs: Matrix) -> Matrix:
    """Return parameters to begin with, shape (symbols, PARAMETERS), from logs (symbols, observations)."""
    parameters = np.tile(np.array(_START), (len(logs), 1))
    known = ~np.isnan(logs)
    parameters[:, FIRST_LEVEL] = np.where(known, logs, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return parameters
