"""The filter corrected by the panel: fit on past sessions, forecast those behind them, block of symbols by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.volume.day_profile import common_profile
from trading_platform.calc.volume.intraday_factor import gain_of, scale_by_today
from trading_platform.calc.volume.market_panel import (
    BIN_FEATURES,
    DAY_FEATURES,
    Known,
    Market,
    Moments,
    add_markets,
    apply,
    bin_features,
    day_features,
    groups_of,
    known_of,
)
from trading_platform.calc.volume.robust_kalman import RobustKalman, fit_robust, less_profile, rest_robust, run_robust

Cube = NDArray[np.float64]
Table = NDArray[np.float64]

BLOCK = 32
"""Symbols that are worked on at a time: memory, not results, depends on it."""
WARM_UP = 8
REST_GROUPS = 6
LEAST_PART_OF_SESSION = 0.75
"""A session with fewer of its bins than this teaches nothing about the rest of a day."""


@dataclass(frozen=True, slots=True)
class PanelForecasts:
    """Of each symbol, session behind the fit, and bin: logs one bin ahead and from the evening before; rest of day."""

    one_bin: Cube
    day_ahead: Cube
    rest: Cube


@dataclass(frozen=True, slots=True)
class PanelFit:
    """Filters of all symbols by block, and the coefficients that all share."""

    filters: tuple[RobustKalman, ...]
    for_bin: tuple[NDArray[np.float64], ...]
    for_day: NDArray[np.float64]
    for_rest: tuple[NDArray[np.float64], ...]

    @property
    def parameters(self) -> Table:
        """Return the filters' parameters, a row a symbol."""
        return np.concatenate([fit.parameters for fit in self.filters])


def fit_panel(logs: Cube, start: Table | None = None) -> PanelFit:
    """Fit to logs (symbols, sessions, bins); `start`: parameters of an earlier fit of these symbols."""
    common = common_profile(logs)
    filters = tuple(
        fit_robust(logs[rows], common, around_mean=False, start=None if start is None else start[rows])
        for rows in blocks_of(len(logs))
    )
    bins = logs.shape[2]
    first = first_taught(logs.shape[1])
    market = _market(filters, logs)
    for_bin = [Moments(BIN_FEATURES) for _ in groups_of(bins)]
    for_rest = [Moments(BIN_FEATURES) for _ in _rest_groups(bins)]
    for_day = Moments(DAY_FEATURES)
    for fit, part in _each(filters, logs):
        seen = _look(fit, part)
        features = bin_features(seen.known, market, seen.forecast, seen.by_factor)[:, first:]
        missed = (seen.known.residual - seen.forecast)[:, first:]
        for moments, group in zip(for_bin, groups_of(bins), strict=True):
            moments.add(features[:, :, group], missed[:, :, group])
        missed = _missed_rest(part, rest_robust(fit, part))[:, first:]
        for moments, group in zip(for_rest, _rest_groups(bins), strict=True):
            moments.add(features[:, :, group], missed[:, :, group])
        missed = (seen.known.residual - seen.known.usual[:, :, None])[:, first:]
        for_day.add(day_features(seen.known, market)[:, first:], missed)
    solved, rested = (tuple(moments.solve() for moments in some) for some in (for_bin, for_rest))
    return PanelFit(filters, solved, for_day.solve(), rested)


def first_taught(sessions: int) -> int:
    """Return the first of so many sessions of a fit that teaches the regression: those before it had little past."""
    return min(WARM_UP, sessions // 4)


def forecast_panel(fit: PanelFit, logs: Cube) -> PanelForecasts:
    """Forecast the sessions of `logs` (all symbols of the fit, its sessions first) behind those of the fit."""
    past, bins = fit.filters[0].history.shape[1], logs.shape[2]
    market = _market(fit.filters, logs)
    found = [np.full((len(logs), logs.shape[1] - past, bins), np.nan) for _ in range(3)]
    for rows, (filter_fit, part) in zip(blocks_of(len(logs)), _each(fit.filters, logs), strict=True):
        seen = _look(filter_fit, part)
        profile = filter_fit.profile[:, None, :]
        features = bin_features(seen.known, market, seen.forecast, seen.by_factor)[:, past:]
        rest = rest_robust(filter_fit, part)[:, past:]
        for coefficients, group in zip(fit.for_bin, groups_of(bins), strict=True):
            found[0][rows, :, group] = apply(coefficients, features[:, :, group])
        for coefficients, group in zip(fit.for_rest, _rest_groups(bins), strict=True):
            found[2][rows, :, group] = rest[:, :, group] * np.exp(apply(coefficients, features[:, :, group]))
        found[0][rows] += seen.forecast[:, past:] + profile
        usual = seen.known.usual[:, past:, None]
        found[1][rows] = apply(fit.for_day, day_features(seen.known, market)[:, past:]) + usual + profile
    return PanelForecasts(*found)


@dataclass(frozen=True, slots=True)
class _Look:
    known: Known
    forecast: Cube
    by_factor: Cube


def _look(fit: RobustKalman, logs: Cube) -> _Look:
    """Return what a block has shown, and both forecasts of its residuals."""
    profile = fit.profile[:, None, :]
    run = run_robust(fit, logs)
    forecast = run.one_bin - profile
    known = known_of(less_profile(fit, logs), forecast, run.variance)
    by_factor, unused = np.empty(logs.shape), np.empty(logs.shape)
    baseline = np.ascontiguousarray(np.broadcast_to(known.usual[:, :, None], logs.shape))
    scale_by_today(known.residual, baseline, gain_of(logs.shape[2]), by_factor, unused)
    return _Look(known, forecast, by_factor)


def _market(filters: tuple[RobustKalman, ...], logs: Cube) -> Market:
    return add_markets([_look(fit, part).known.market for fit, part in _each(filters, logs)])


def _missed_rest(logs: Cube, expected: Cube) -> Cube:
    """Return ln(actual / expected) of the volume from each bin on; unknown in sessions that lack many bins."""
    known = ~np.isnan(logs)
    volume = np.where(known, np.exp(np.where(known, logs, 0.0)), 0.0)
    rest = np.cumsum(volume[:, :, ::-1], axis=2)[:, :, ::-1]
    there = known.mean(axis=2, keepdims=True) >= LEAST_PART_OF_SESSION
    told = there & (rest > 0.0) & (expected > 0.0)
    return np.where(told, np.log(np.where(told, rest, 1.0) / np.where(told, expected, 1.0)), np.nan)


def _rest_groups(bins: int) -> list[slice]:
    edges = np.unique(np.linspace(0, bins, min(REST_GROUPS, bins) + 1).astype(int))
    return [slice(int(begin), int(end)) for begin, end in pairwise(edges)]


def blocks_of(symbols: int) -> list[slice]:
    """Return the symbols that are worked on at a time."""
    return [slice(first, min(first + BLOCK, symbols)) for first in range(0, symbols, BLOCK)]


def _each(filters: tuple[RobustKalman, ...], logs: Cube) -> Iterator[tuple[RobustKalman, Cube]]:
    for fit, rows in zip(filters, blocks_of(len(logs)), strict=True):
        yield fit, logs[rows]
