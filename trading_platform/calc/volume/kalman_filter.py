"""The filter of Chen, Feng and Palomar: log volume = daily level + intraday deviation + profile + noise.

The level moves only overnight, the deviation at every bin: x = [level, deviation], one observation a bin. A row of
parameters has PARAMETERS fields. A bin without an observation (NaN) is skipped, so half days and gaps cost nothing.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Matrix, Row, borrowing_kernel, kernel

KEEP_LEVEL, KEEP_DEVIATION = 0, 1
"""What is left of the level after a night, and of the deviation after a bin (coefficients)."""
LEVEL_NOISE, DEVIATION_NOISE, NOISE = 2, 3, 4
"""Variances: of the level's nightly step, of the deviation's step, of the observation."""
FIRST_LEVEL, FIRST_DEVIATION, FIRST_LL, FIRST_LD, FIRST_DD = 5, 6, 7, 8, 9
"""State before the first observation, and its covariance."""
PARAMETERS = 10

LEVEL, DEVIATION, VAR_LL, VAR_LD, VAR_DD = 0, 1, 2, 3, 4
STATE_FIELDS = 5

UNCLIPPED = np.inf

Logs = NDArray[np.float64]


@borrowing_kernel
def advance_bin(state: Row, keep: float, step: float) -> None:
    """Move `state` to the next bin of the day: `keep` of the deviation is left, `step` is the variance of its step."""
    state[DEVIATION] *= keep
    state[VAR_LD] *= keep
    state[VAR_DD] = keep * keep * state[VAR_DD] + step


@borrowing_kernel
def advance(state: Row, parameters: Row, overnight: bool) -> None:  # noqa: FBT001
    """Move `state` to the next bin, over a night if so."""
    if overnight:
        level = parameters[KEEP_LEVEL]
        state[LEVEL] *= level
        state[VAR_LL] = level * level * state[VAR_LL] + parameters[LEVEL_NOISE]
        state[VAR_LD] *= level
    advance_bin(state, parameters[KEEP_DEVIATION], parameters[DEVIATION_NOISE])


@borrowing_kernel
def forecast_variance(state: Row, noise: float) -> float:
    """Return the variance of the forecast of the log that is observed next."""
    return float(state[VAR_LL] + 2.0 * state[VAR_LD] + state[VAR_DD] + noise)


@borrowing_kernel
def observe(state: Row, error: float, variance: float, most: float) -> None:
    """Fold a one-step error into `state`, clipped at `most` of its standard deviations.

    A clipped error taught less than a whole one: the variances fall by the share of it that was taken, so that a
    lasting change is followed sooner.
    """
    limit = most * np.sqrt(variance)
    taken = min(max(error, -limit), limit)
    level, deviation = state[VAR_LL] + state[VAR_LD], state[VAR_LD] + state[VAR_DD]
    state[LEVEL] += level / variance * taken
    state[DEVIATION] += deviation / variance * taken
    share = taken / error if error != 0.0 else 1.0
    state[VAR_LL] -= share * level * level / variance
    state[VAR_LD] -= share * level * deviation / variance
    state[VAR_DD] -= share * deviation * deviation / variance


@borrowing_kernel
def begin(state: Row, parameters: Row) -> None:
    """Set `state` to what is known before the first observation."""
    for field in range(STATE_FIELDS):
        state[field] = parameters[FIRST_LEVEL + field]


@borrowing_kernel
def copy_state(state: Row, to: Row) -> None:
    """Write `state` into another row; an assignment of arrays would compile the text of errors that cannot be."""
    for field in range(STATE_FIELDS):
        to[field] = state[field]


@kernel
def filter_logs(
    logs: Logs, profile: Row, parameters: Row, clip: float, ahead: Matrix, filtered: Matrix, variance: Row
) -> float:
    """Filter bins in order; return the log-likelihood.

    `logs` has whole days of len(profile) bins; `ahead` and `filtered` take the state before and after each bin,
    `variance` that of its one-step forecast.
    """
    bins = len(profile)
    state = np.empty(STATE_FIELDS)
    begin(state, parameters)
    likelihood = 0.0
    for at in range(len(logs)):
        if at > 0:
            advance(state, parameters, at % bins == 0)
        copy_state(state, ahead[at])
        spread = forecast_variance(state, parameters[NOISE])
        variance[at] = spread
        error = logs[at] - profile[at % bins] - state[LEVEL] - state[DEVIATION]
        if error == error:
            likelihood -= 0.5 * (np.log(2.0 * np.pi * spread) + error * error / spread)
            observe(state, error, spread, clip)
        copy_state(state, filtered[at])
    return likelihood


@kernel
def forecast_days(
    logs: Logs, profile: Row, parameters: Row, clip: float, one_bin: Matrix, day_ahead: Matrix, variance: Matrix
) -> None:
    """Write for each day and bin the log forecast from the bin before, and from the evening before.

    Shapes (days, bins); `variance` is that of the one-bin forecast. Each uses earlier bins only.
    """
    bins = len(profile)
    state = np.empty(STATE_FIELDS)
    begin(state, parameters)
    for day in range(len(logs) // bins):
        for bin_ in range(bins):
            if day > 0 or bin_ > 0:
                advance(state, parameters, bin_ == 0)
            if bin_ == 0:
                deviation = state[DEVIATION]
                for later in range(bins):
                    day_ahead[day, later] = state[LEVEL] + deviation + profile[later]
                    deviation *= parameters[KEEP_DEVIATION]
            one_bin[day, bin_] = state[LEVEL] + state[DEVIATION] + profile[bin_]
            spread = forecast_variance(state, parameters[NOISE])
            variance[day, bin_] = spread
            error = logs[day * bins + bin_] - one_bin[day, bin_]
            if error == error:
                observe(state, error, spread, clip)


@kernel
def forecast_rest(logs: Logs, profile: Row, parameters: Row, clip: float, rest: Matrix) -> None:
    """Write for each day and bin the volume expected from this bin to the end of the day, as of the bin before.

    Each later bin counts with the median of the level and the mean of what is its own: their sum is near the median of
    the rest. A profile of NaN (a bin that is unknown) counts nothing.
    """
    bins = len(profile)
    state = np.empty(STATE_FIELDS)
    begin(state, parameters)
    keep = parameters[KEEP_DEVIATION]
    own = 0.5 * (parameters[NOISE] + parameters[DEVIATION_NOISE] / max(1.0 - keep * keep, 1e-3))
    after = np.zeros(bins + 1)
    for later in range(bins - 1, -1, -1):
        weight = np.exp(profile[later] + own)
        after[later] = after[later + 1] + (weight if weight == weight else 0.0)
    for day in range(len(logs) // bins):
        for bin_ in range(bins):
            if day > 0 or bin_ > 0:
                advance(state, parameters, bin_ == 0)
            rest[day, bin_] = np.exp(state[LEVEL]) * _weigh(state[DEVIATION], keep, bin_, after)
            spread = forecast_variance(state, parameters[NOISE])
            error = logs[day * bins + bin_] - profile[bin_] - state[LEVEL] - state[DEVIATION]
            if error == error:
                observe(state, error, spread, clip)


_FADED = 1e-3


@borrowing_kernel
def _weigh(deviation: float, keep: float, first: int, after: Row) -> float:
    """Return the weight of all bins from `first` on, a fading deviation on top; one that has faded is left out."""
    total = 0.0
    for later in range(first, len(after) - 1):
        if abs(deviation) < _FADED:
            return float(total + after[later])
        total += np.exp(deviation) * (after[later] - after[later + 1])
        deviation *= keep
    return total
