"""The filter fitted to winsorised logs less a day profile, run with clipped surprises: outliers hardly move it.

De-meaned logs let the level return to its mean overnight; with `around_mean` off it wanders, which one bin ahead is as
good and follows names whose volume drifts.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.volume.day_profile import day_profiles, winsorise
from trading_platform.calc.volume.kalman_filter import (
    DEVIATION_NOISE,
    FIRST_DD,
    FIRST_LL,
    KEEP_DEVIATION,
    KEEP_LEVEL,
    LEVEL_NOISE,
    NOISE,
    STATE_FIELDS,
    filter_logs,
    forecast_days,
    forecast_rest,
)
from trading_platform.calc.volume.kalman_fit import GIVEN_PROFILE, LEAST_VARIANCE, fit_symbols, start_parameters

CLIP = 2.5
"""A live surprise counts up to so many of its standard deviations."""
SMALL_STEP = 1e-3
_START_KEEP = 0.7
"""Of level (around its mean) and deviation: near what is found, so that few steps are needed."""

Cube = NDArray[np.float64]
Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RobustKalman:
    """A fit of some symbols: what is taken from logs (symbols, bins), parameters of the filter, the logs it saw."""

    profile: Table
    center: NDArray[np.float64]
    parameters: Table
    history: Cube
    """Winsorised, less profile and center."""


@dataclass(frozen=True, slots=True)
class LogForecasts:
    """Of each symbol, session and bin: one bin ahead, from the evening before, and the variance of the first."""

    one_bin: Cube
    day_ahead: Cube
    variance: Cube


def fit_robust(
    logs: Cube, common: NDArray[np.float64], *, around_mean: bool, start: Table | None = None
) -> RobustKalman:
    """Fit to logs (symbols, sessions, bins); `common` as `common_profile` gives it, of these or of more symbols.

    `start`: parameters of an earlier fit to begin with, NaN for a symbol that has none.
    """
    drawn = winsorise(logs)
    profile, level = day_profiles(drawn, common)
    known = ~np.isnan(level)
    mean = np.where(known, level, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    center = mean if around_mean else np.zeros(len(logs))
    history = drawn - profile[:, None, :] - center[:, None, None]
    flat = np.ascontiguousarray(history.reshape(len(logs), -1))
    parameters = _start(flat, history, wander=not around_mean)
    if start is not None:
        parameters = np.where(np.isnan(start), parameters, start)
    fit_symbols(flat, np.zeros(profile.shape), parameters, GIVEN_PROFILE, SMALL_STEP)
    return RobustKalman(profile, center, parameters, history)


def _start(flat: Table, history: Cube, *, wander: bool) -> Table:
    """Return parameters to begin with: variances are shares of what the history shows of each kind."""
    parameters = start_parameters(flat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        level = np.nanmean(history, axis=2)
        nightly = np.nan_to_num(np.nanvar(np.diff(level, axis=1), axis=1))
        within = np.nan_to_num(np.nanvar(history - level[:, :, None], axis=(1, 2)))
    parameters[:, KEEP_LEVEL] = 1.0 if wander else _START_KEEP
    parameters[:, KEEP_DEVIATION] = _START_KEEP
    parameters[:, LEVEL_NOISE] = np.maximum(0.5 * nightly, LEAST_VARIANCE)
    parameters[:, DEVIATION_NOISE] = np.maximum(0.3 * within, LEAST_VARIANCE)
    parameters[:, NOISE] = np.maximum(0.4 * within, LEAST_VARIANCE)
    parameters[:, FIRST_LL] = np.maximum(nightly, LEAST_VARIANCE)
    parameters[:, FIRST_DD] = np.maximum(within, LEAST_VARIANCE)
    return parameters


def run_robust(fit: RobustKalman, logs: Cube) -> LogForecasts:
    """Forecast the sessions that were fitted and those of `logs` behind them (logs of all, the fitted first)."""
    taken = less_profile(fit, logs)
    found = [np.empty(taken.shape) for _ in range(3)]
    flat_profile = np.zeros(taken.shape[2])
    for row in range(len(taken)):
        forecast_days(taken[row].ravel(), flat_profile, fit.parameters[row], CLIP, *(each[row] for each in found))
    shift = (fit.profile + fit.center[:, None])[:, None, :]
    return LogForecasts(found[0] + shift, found[1] + shift, found[2])


def state_after(fit: RobustKalman) -> Table:
    """Return the filter's state at the first bin behind the sessions of the fit, the night passed: STATE_FIELDS."""
    symbols, sessions, bins = fit.history.shape
    states = np.empty((symbols, STATE_FIELDS))
    flat_profile, unseen = np.zeros(bins), np.full((1, bins), np.nan)
    ahead, filtered = np.empty(((sessions + 1) * bins, STATE_FIELDS)), np.empty(((sessions + 1) * bins, STATE_FIELDS))
    variance = np.empty(len(ahead))
    for row in range(symbols):
        logs = np.concatenate([fit.history[row], unseen]).ravel()
        filter_logs(logs, flat_profile, fit.parameters[row], CLIP, ahead, filtered, variance)
        states[row] = ahead[sessions * bins]
    return states


def rest_robust(fit: RobustKalman, logs: Cube) -> Cube:
    """Return the volume from each bin to the end of its day as the filter expects it before the bin."""
    taken = less_profile(fit, logs)
    rest = np.empty(taken.shape)
    for row in range(len(taken)):
        profile = fit.profile[row] + fit.center[row]
        shifted = taken[row] + profile
        forecast_rest(shifted.ravel(), profile, fit.parameters[row], CLIP, rest[row])
    return rest


def less_profile(fit: RobustKalman, logs: Cube) -> Cube:
    """Return logs less what the fit takes from them, the sessions that it saw as it saw them."""
    seen = fit.history.shape[1]
    live = logs[:, seen:] - (fit.profile + fit.center[:, None])[:, None, :]
    return np.ascontiguousarray(np.concatenate([fit.history, live], axis=1))
