"""The models by name: from logs and volumes up to a session to forecasts of the sessions behind it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.volume.day_profile import common_profile
from trading_platform.calc.volume.intraday_factor import gain_of, scale_by_today
from trading_platform.calc.volume.kalman_filter import UNCLIPPED, forecast_days, forecast_rest
from trading_platform.calc.volume.kalman_fit import OWN_PROFILE, SMALL_STEP, fit_symbols, start_parameters
from trading_platform.calc.volume.panel_forecast import fit_panel, forecast_panel
from trading_platform.calc.volume.robust_kalman import fit_robust, rest_robust, run_robust
from trading_platform.calc.volume.rolling import log_mean_before, mean_before, median_before

RM20, MEDIAN, GEOMETRIC = "rm20", "median20", "geometric"
KALMAN, KALMAN_ROBUST, PANEL, PUBLISHED = "kalman", "kalman_robust", "panel", "published"
MODELS = (RM20, MEDIAN, GEOMETRIC, KALMAN, KALMAN_ROBUST, PANEL, PUBLISHED)

Cube = NDArray[np.float64]
Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Medians expected of each symbol, session and bin, NaN where there is none.

    `one_bin` uses all bins before, `day_ahead` sessions before, `rest` (volume from the bin to the end of the session)
    all bins before.
    """

    one_bin: Cube
    day_ahead: Cube
    rest: Cube


@dataclass(frozen=True, slots=True)
class Past:
    """Volumes (symbols, sessions, bins; NaN without a bar), of which the first `known` sessions may be fitted."""

    volume: Cube
    logs: Cube
    known: int


def logs_of(volume: Cube) -> Cube:
    """Return logs of volumes, NaN where there is none: zero has no log."""
    traded = volume > 0.0
    return np.where(traded, np.log(np.where(traded, volume, 1.0)), np.nan)


def rolling_mean(past: Past) -> Forecasts:
    """Forecast the mean of the same bin over 20 sessions, all day."""
    return _curve(mean_before(past.volume, past.known))


def rolling_median(past: Past) -> Forecasts:
    """Forecast the median of the same bin over 20 sessions, all day."""
    return _curve(median_before(past.volume, past.known))


def geometric(past: Past) -> Forecasts:
    """Forecast the geometric mean over 20 sessions times today's clipped factor."""
    baseline = log_mean_before(past.logs)
    one_bin, day_ahead = np.empty(baseline.shape), np.empty(baseline.shape)
    scale_by_today(past.logs, baseline, gain_of(baseline.shape[2]), one_bin, day_ahead)
    factor = np.exp((one_bin - baseline)[:, past.known :])
    rest = factor * _from_each_bin(np.exp(baseline[:, past.known :]))
    return Forecasts(np.exp(one_bin[:, past.known :]), np.exp(day_ahead[:, past.known :]), rest)


@dataclass(slots=True)
class Fits:
    """What the last fit of each symbol found: the next one begins there. NaN for a symbol that was not fitted."""

    kalman: Table
    profile: Table
    robust: Table
    panel: Table

    @classmethod
    def none(cls, symbols: int, bins: int, parameters: int) -> "Fits":
        """Return no fits."""
        empty = np.full((symbols, parameters), np.nan)
        return cls(empty.copy(), np.full((symbols, bins), np.nan), empty.copy(), empty.copy())


def kalman(past: Past, fits: Fits, rows: NDArray[np.intp]) -> Forecasts:
    """Forecast by the filter as published, fitted to plain logs, its profile too, and nothing clipped."""
    logs = past.logs
    seen = np.ascontiguousarray(logs[:, : past.known])
    flat = seen.reshape(len(logs), -1)
    level = _mean_of(flat)[:, None, None]
    counted = np.maximum(np.sum(~np.isnan(seen), axis=1), 1)
    profile = np.nan_to_num(np.nansum(seen - level, axis=1) / counted)
    fresh = np.isnan(fits.kalman[rows, :1])
    profile = np.where(fresh, profile, fits.profile[rows])
    parameters = np.where(fresh, start_parameters(flat), fits.kalman[rows])
    fit_symbols(flat, profile, parameters, OWN_PROFILE, SMALL_STEP)
    fits.kalman[rows], fits.profile[rows] = parameters, profile
    unseen = np.all(np.isnan(seen), axis=1)
    profile = np.where(unseen, np.nan, profile)
    found = [np.empty(logs.shape) for _ in range(4)]
    for row, line in enumerate(logs):
        forecast_days(line.ravel(), profile[row], parameters[row], UNCLIPPED, *(each[row] for each in found[:3]))
        forecast_rest(line.ravel(), profile[row], parameters[row], UNCLIPPED, found[3][row])
    one_bin, day_ahead, _, rest = (each[:, past.known :] for each in found)
    return Forecasts(np.exp(one_bin), np.exp(day_ahead), rest)


def kalman_robust(past: Past, fits: Fits, rows: NDArray[np.intp]) -> Forecasts:
    """Forecast by the robust filter of de-meaned logs."""
    seen = past.logs[:, : past.known]
    fit = fit_robust(seen, common_profile(seen), around_mean=True, start=fits.robust[rows])
    fits.robust[rows] = fit.parameters
    found = run_robust(fit, past.logs)
    rest = rest_robust(fit, past.logs)[:, past.known :]
    return Forecasts(np.exp(found.one_bin[:, past.known :]), np.exp(found.day_ahead[:, past.known :]), rest)


def panel(past: Past, fits: Fits, rows: NDArray[np.intp]) -> Forecasts:
    """Forecast by the filter that all symbols correct."""
    fit = fit_panel(past.logs[:, : past.known], fits.panel[rows])
    fits.panel[rows] = fit.parameters
    found = forecast_panel(fit, past.logs)
    return Forecasts(np.exp(found.one_bin), np.exp(found.day_ahead), found.rest)


def _curve(curve: Cube) -> Forecasts:
    return Forecasts(curve, curve, _from_each_bin(curve))


def _from_each_bin(curve: Cube) -> Cube:
    """Return sums from each bin to the end of the session; unknown bins count nothing."""
    sums: Cube = np.cumsum(np.nan_to_num(curve)[:, :, ::-1], axis=2)[:, :, ::-1]
    return sums


def _mean_of(flat: Table) -> NDArray[np.float64]:
    known = ~np.isnan(flat)
    mean: NDArray[np.float64] = np.where(known, flat, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean
