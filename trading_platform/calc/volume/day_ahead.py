"""What the published model says of each bar of a session the evening before it, from past sessions alone.

Of each symbol the panel, or the filter alone where that was better on the last third of these sessions, fitted on those
before. How far both missed there gives the bands. The filter that goes on from here bar by bar (its level wanders, as
one bin ahead serves best) starts at the forecast itself: how sure it is of that is all it takes from the past, and how
far the judged sessions would have surprised it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc import live_forecast as live
from trading_platform.calc.volume import kalman_filter as kalman
from trading_platform.calc.volume.bands import bands_of
from trading_platform.calc.volume.day_panel import panel_day_ahead
from trading_platform.calc.volume.day_profile import common_profile
from trading_platform.calc.volume.panel_forecast import blocks_of
from trading_platform.calc.volume.robust_kalman import fit_robust, run_robust, state_after
from trading_platform.calc.volume.surprises import surprise_scales
from trading_platform.calc.volume.walk_forward import Mask, panel_wins

Cube = NDArray[np.float64]
Table = NDArray[np.float64]

LEAST_SESSIONS = 4
"""Fewer cannot be fitted and judged."""


@dataclass(frozen=True, slots=True)
class DayAhead:
    """Of each symbol: the median of each bin, what that is multiplied by for mean and quantiles, and by which model.

    `filters` (symbols, LIVE_FIELDS of calc.live_forecast) is None when it was not asked for.
    """

    median: Table
    mean_factor: Table
    quantile_factors: Cube
    by_panel: Mask
    filters: Table | None


def forecast_day(logs: Cube, *, with_filters: bool) -> DayAhead:
    """Forecast the session behind those of `logs` (symbols, LEAST_SESSIONS or more sessions, bins).

    Logs are NaN where nothing was traded: medians and quantiles are of bins that trade, the mean is of all.
    """
    symbols, sessions, bins = logs.shape
    known = sessions - sessions // 3
    alone, fitted = _alone(logs, known, np.arange(symbols))
    by_model = [logs[:, known:] - found[:, :-1] for found in (panel_day_ahead(logs, known), alone)]
    gain = np.abs(by_model[1]) - np.abs(by_model[0])
    by_panel = panel_wins(np.nansum(gain, axis=(1, 2)), np.sum(~np.isnan(gain), axis=(1, 2)), bins)
    errors = np.where(by_panel[:, None, None], *by_model)
    del by_model, gain, alone
    bands = bands_of(errors)
    ahead = panel_day_ahead(logs, sessions)[:, 0]
    if not by_panel.all():
        rest = np.flatnonzero(~by_panel)
        ahead[rest] = _alone(logs, sessions, rest, fitted)[0][:, 0]
    mean_factor = bands.mean * _mean_over_band(logs[:, known:], errors, bands.mean)
    filters = _filters(logs, fitted) if with_filters else None
    if filters is not None:
        _scale_surprises(filters, errors)
    return DayAhead(np.exp(ahead), mean_factor, bands.quantiles, by_panel, filters)


def _mean_over_band(logs: Cube, errors: Cube, mean: Table) -> Table:
    """Return what the band's mean is multiplied by (symbols, 1): bins without trades, and how far it was off.

    Means of errors far out are little known. What all of a symbol's volume was over what was forecast of it tells, and
    of that the median over symbols: one symbol's great day must not lift its mean for weeks.
    """
    known = ~np.isnan(errors)
    share = np.mean(known, axis=(1, 2))
    forecast = np.where(known, np.exp(np.where(known, logs - errors, 0.0)) * mean[:, None, :], 0.0).sum(axis=(1, 2))
    actual = np.where(known, np.exp(np.where(known, logs, 0.0)), 0.0).sum(axis=(1, 2))
    told = forecast > 0.0
    off = float(np.median(actual[told] / forecast[told])) if told.any() else 1.0
    factor: Table = (share * off)[:, None]
    return factor


def _alone(logs: Cube, known: int, rows: NDArray[np.intp], start: Table | None = None) -> tuple[Cube, Table]:
    """Return what the filter alone forecasts of sessions behind the first `known` and `logs`, and its parameters.

    Only of these rows; `start` has parameters of all to begin with.
    """
    common = common_profile(logs[:, :known])
    forecast = np.empty((len(rows), logs.shape[1] + 1 - known, logs.shape[2]))
    parameters = np.empty((len(rows), kalman.PARAMETERS))
    for block in blocks_of(len(rows)):
        chosen = rows[block]
        begin = None if start is None else start[chosen]
        fit = fit_robust(logs[chosen, :known], common, around_mean=True, start=begin)
        ahead = np.full((len(chosen), 1, logs.shape[2]), np.nan)
        run = run_robust(fit, np.concatenate([logs[chosen], ahead], axis=1))
        forecast[block], parameters[block] = run.day_ahead[:, known:], fit.parameters
    return forecast, parameters


_TAKEN = (
    (live.KEEP_DEVIATION, kalman.KEEP_DEVIATION),
    (live.DEVIATION_NOISE, kalman.DEVIATION_NOISE),
    (live.NOISE, kalman.NOISE),
)
_SURE = ((live.VAR_LL, kalman.VAR_LL), (live.VAR_LD, kalman.VAR_LD), (live.VAR_DD, kalman.VAR_DD))


def _filters(logs: Cube, fitted: Table) -> Table:
    """Return the wandering filter's parameters, and where it stands: at the forecast, as sure as it is of the open.

    What moves within a day is much the same in `fitted`, of the filter around its mean: the fit begins there.
    """
    common = common_profile(logs)
    filters = np.zeros((len(logs), live.LIVE_FIELDS))
    start = np.full(fitted.shape, np.nan)
    for _, parameter in _TAKEN:
        start[:, parameter] = fitted[:, parameter]
    for block in blocks_of(len(logs)):
        fit = fit_robust(logs[block], common, around_mean=False, start=start[block])
        state = state_after(fit)
        for place, parameter in _TAKEN:
            filters[block, place] = fit.parameters[:, parameter]
        for place, field in _SURE:
            filters[block, place] = state[:, field]
    return filters


def _scale_surprises(filters: Table, errors: Cube) -> None:
    """Fill in how far surprises usually come, from sessions whose bars missed their forecasts by `errors`, in logs."""
    filters[:, live.STIRRED :] = 1.0
    found = np.full(errors.shape, np.nan)
    level = np.ones((len(errors), errors.shape[2]))
    for session in range(errors.shape[1]):
        bars = np.argwhere(~np.isnan(errors[:, session]))
        row, bucket = bars[:, 0], bars[:, 1]
        volumes = np.exp(errors[row, session, bucket])
        read = live.forecast_scan(bars, volumes, level, live.filters_at_open(filters, level))
        found[row, session, bucket] = read[:, 1]
    scales = surprise_scales(found)
    filters[:, live.STIRRED] = scales.stirred
    filters[:, live.SCALES :] = scales.by_symbol[:, None] * scales.by_part
