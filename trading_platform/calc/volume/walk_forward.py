"""Forecast past sessions as they would have been forecast: fitted on sessions before, again every few sessions.

`published` is what the engine would publish: of each symbol and horizon the panel where it was better than the filter
alone on the sessions before (absolute log error), drawn to what was better for all where a symbol has shown little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.volume import models
from trading_platform.calc.volume.bands import Bands, bands_of
from trading_platform.calc.volume.kalman_filter import PARAMETERS
from trading_platform.calc.volume.models import Cube, Fits, Forecasts, Past, logs_of

Mask = NDArray[np.bool_]

PRIOR_SESSIONS = 10
"""What is better for all symbols counts for one like so many sessions of its own."""
BAND_SESSIONS = 60
"""Sessions before a fit whose errors make the bands: where none was forecast yet, the last third of the training."""
HORIZONS = ("one_bin", "day_ahead", "rest")

_SIMPLE: dict[str, Callable[[Past], Forecasts]] = {
    models.RM20: models.rolling_mean,
    models.MEDIAN: models.rolling_median,
    models.GEOMETRIC: models.geometric,
}
_FITTED: dict[str, Callable[[Past, Fits, NDArray[np.intp]], Forecasts]] = {
    models.KALMAN: models.kalman,
    models.KALMAN_ROBUST: models.kalman_robust,
    models.PANEL: models.panel,
}


@dataclass(frozen=True, slots=True)
class Walk:
    """Forecasts by model of the sessions from `first` on; per symbol the session its forecasts begin with.

    `begins` is the number of sessions for a symbol without forecasts. `by_panel` tells for each horizon, symbol and
    session (from `first` on) whether `published` was the panel.
    """

    first: int
    begins: NDArray[np.intp]
    forecasts: dict[str, Forecasts]
    by_panel: dict[str, Mask]
    bands: dict[str, list[tuple[slice, Bands]]]
    """Of `published`, by horizon: the sessions (from `first` on) between two fits, and their bands."""


def first_forecasts(volume: Cube, train_sessions: int) -> NDArray[np.intp]:
    """Return for each symbol the first session that has `train_sessions` with volume before it."""
    traded = np.any(volume > 0.0, axis=2)
    before = np.cumsum(traded, axis=1)
    enough = before >= train_sessions
    begins: NDArray[np.intp] = np.where(enough.any(axis=1), np.argmax(enough, axis=1) + 1, volume.shape[1])
    return begins


def fit_points(begins: NDArray[np.intp], sessions: int, refit_every: int) -> list[int]:
    """Return the sessions before which is fitted, and the end: every few sessions, and when a symbol begins."""
    first = int(begins.min(initial=sessions))
    regular = range(first, sessions, refit_every)
    return sorted({*regular, *(int(one) for one in begins if one < sessions), sessions})


def walk_forward(
    volume: Cube,
    train_sessions: int,
    refit_every: int,
    *,
    wanted: Sequence[str] = models.MODELS,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Walk:
    """Forecast by the wanted models; `tell` hears how many sessions of how many are done."""
    symbols, sessions, bins = volume.shape
    begins = first_forecasts(volume, train_sessions)
    points = fit_points(begins, sessions, refit_every)
    first, logs = points[0], logs_of(volume)
    needed = _needed(wanted)
    shape = (symbols, sessions - first, bins)
    found = {name: Forecasts(*(np.full(shape, np.nan) for _ in HORIZONS)) for name in needed}
    fits = Fits.none(symbols, bins, PARAMETERS)
    choice = Choice(volume, begins) if models.PUBLISHED in wanted else None
    for begin, end in pairwise(points):
        rows = np.flatnonzero(begins <= begin)
        past = Past(volume[rows, :end], logs[rows, :end], begin)
        made = {name: _forecast(name, past, fits, rows) for name in needed}
        for name, each in made.items():
            _put(found[name], each, rows, slice(begin - first, end - first))
        if choice is not None:
            choice.learn_early(past, rows)
            choice.choose(slice(begin - first, end - first))
            choice.learn(made, rows, slice(begin, end))
        tell(end - first, sessions - first)
    told = (choice.by_panel, choice.bands) if choice is not None else ({}, {})
    if choice is not None:
        found[models.PUBLISHED] = _published(found, choice.by_panel)
    return Walk(first, begins, {name: found[name] for name in models.MODELS if name in wanted}, *told)


def _needed(wanted: Sequence[str]) -> list[str]:
    """Return the models that must be computed for the wanted ones."""
    parts = {models.PANEL, models.KALMAN_ROBUST} if models.PUBLISHED in wanted else set()
    return [name for name in models.MODELS if name != models.PUBLISHED and (name in wanted or name in parts)]


def _forecast(name: str, past: Past, fits: Fits, rows: NDArray[np.intp]) -> Forecasts:
    return _SIMPLE[name](past) if name in _SIMPLE else _FITTED[name](past, fits, rows)


def _put(into: Forecasts, made: Forecasts, rows: NDArray[np.intp], sessions: slice) -> None:
    for horizon in HORIZONS:
        getattr(into, horizon)[rows, sessions] = getattr(made, horizon)


def _published(found: dict[str, Forecasts], by_panel: dict[str, Mask]) -> Forecasts:
    parts = []
    for horizon in HORIZONS:
        panel, alone = (getattr(found[name], horizon) for name in (models.PANEL, models.KALMAN_ROBUST))
        parts.append(np.where(by_panel[horizon][:, :, None], panel, alone))
    return Forecasts(*parts)


class Choice:
    """Which of two models was better so far, by symbol and horizon, and how far off it was."""

    def __init__(self, volume: Cube, begins: NDArray[np.intp]) -> None:
        symbols, sessions, bins = volume.shape
        self.volume, self.bins = volume, bins
        self.won = {horizon: np.zeros(symbols) for horizon in HORIZONS}
        self.count = {horizon: np.zeros(symbols) for horizon in HORIZONS}
        behind = sessions - int(begins.min(initial=sessions))
        self.by_panel = {horizon: np.zeros((symbols, behind), np.bool_) for horizon in HORIZONS}
        self.judged = np.zeros(symbols, np.bool_)
        self.bands: dict[str, list[tuple[slice, Bands]]] = {horizon: [] for horizon in HORIZONS}
        self.errors = {
            (name, horizon): np.full(volume.shape, np.nan, np.float32)
            for name in (models.PANEL, models.KALMAN_ROBUST)
            for horizon in HORIZONS
        }

    def learn_early(self, past: Past, rows: NDArray[np.intp]) -> None:
        """Judge symbols that begin now on the last third of what they are fitted on, fitted on the rest of it."""
        if self.judged[rows].all():
            return
        known = past.known - past.known // 3
        early = Past(past.volume[:, : past.known], past.logs[:, : past.known], known)
        symbols, _, bins = past.volume.shape
        fits, all_rows = Fits.none(symbols, bins, PARAMETERS), np.arange(symbols)
        made = {name: _FITTED[name](early, fits, all_rows) for name in (models.PANEL, models.KALMAN_ROBUST)}
        self.learn(made, rows, slice(known, past.known), new=~self.judged[rows])
        self.judged[rows] = True

    def learn(
        self, made: dict[str, Forecasts], rows: NDArray[np.intp], sessions: slice, new: Mask | None = None
    ) -> None:
        """Count by how much the panel's absolute log errors were smaller."""
        volume = self.volume[rows, sessions]
        targets = {"one_bin": volume, "day_ahead": volume, "rest": _rest_of(volume)}
        counted = np.ones(len(rows), np.bool_) if new is None else new
        for horizon in HORIZONS:
            alone, with_panel = (
                np.where(counted[:, None, None], log_ratio(targets[horizon], getattr(made[name], horizon)), np.nan)
                for name in (models.KALMAN_ROBUST, models.PANEL)
            )
            gain = np.abs(alone) - np.abs(with_panel)
            for name, errors in ((models.KALMAN_ROBUST, alone), (models.PANEL, with_panel)):
                kept = self.errors[name, horizon]
                kept[rows, sessions] = np.where(np.isnan(errors), kept[rows, sessions], errors)
            self.won[horizon][rows] += np.nansum(gain, axis=(1, 2))
            self.count[horizon][rows] += np.sum(~np.isnan(gain), axis=(1, 2))

    def choose(self, sessions: slice) -> None:
        """Write for these sessions, counted from the first forecast, whether the panel is published, and bands."""
        for horizon in HORIZONS:
            by_panel = panel_wins(self.won[horizon], self.count[horizon], self.bins)
            self.by_panel[horizon][:, sessions] = by_panel[:, None]
            begin = self.volume.shape[1] - self.by_panel[horizon].shape[1] + sessions.start
            recent = slice(max(begin - BAND_SESSIONS, 0), begin)
            panel, alone = (self.errors[name, horizon][:, recent] for name in (models.PANEL, models.KALMAN_ROBUST))
            chosen = np.where(by_panel[:, None, None], panel, alone)
            self.bands[horizon].append((sessions, bands_of(chosen)))


def panel_wins(won: NDArray[np.float64], count: NDArray[np.float64], bins: int) -> Mask:
    """Tell for which symbols the panel is published: by how much its absolute log errors were smaller, over how many.

    Each symbol's sum is drawn to what all have shown.
    """
    overall = won.sum() / max(count.sum(), 1.0)
    wins: Mask = won + PRIOR_SESSIONS * bins * overall > 0.0
    return wins


def log_ratio(actual: Cube, forecast: Cube) -> Cube:
    """Return ln(actual / forecast), NaN where either is unknown or zero."""
    told = (forecast > 0.0) & (actual > 0.0)
    return np.where(told, np.log(np.where(told, actual, 1.0) / np.where(told, forecast, 1.0)), np.nan)


def _rest_of(volume: Cube) -> Cube:
    """Return the volume from each bin on; unknown where the session lacks bins, because that is not a whole rest."""
    whole = np.mean(np.isnan(volume), axis=2, keepdims=True) == 0.0
    rest: Cube = np.cumsum(np.nan_to_num(volume)[:, :, ::-1], axis=2)[:, :, ::-1]
    return np.where(whole, rest, np.nan)
