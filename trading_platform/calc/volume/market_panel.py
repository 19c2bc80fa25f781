"""What all symbols tell of one: surprises of earlier bins, own and market-wide, correct the filter's forecast.

One ridge regression over all symbols and past sessions, of what the filter missed on what was known before. It takes
nothing from the bin it forecasts, nor from later ones, of any symbol. Targets are clipped: outliers teach little, and
what is learned lies between mean and median of errors, which are skewed. (Clipped harder, half of all bars would lie
above their forecast, and the mean of ln(forecast / actual) fall below -0.03.)
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import kernel
from trading_platform.calc.volume.day_profile import medians_along

Cube = NDArray[np.float64]
Table = NDArray[np.float64]

SURPRISE_SIGMAS, MOST_RESIDUAL = 2.5, 1.0
"""A surprise counts up to so many of its standard deviations, what lies above the usual level up to one log."""
CLIPPED_SIGMAS = 2.0
MAD_TO_SIGMA = 1.4826
RIDGE = 30.0
PRIOR_BINS, PRIOR_SYMBOLS = 3.0, 3.0
OPENING_PART = 25
"""The opening group of bins is one part in 25 of the day: it knows of today nothing or little."""
LEVEL_SESSIONS, WEEK = 20, 5
BIN_FEATURES, DAY_FEATURES = 12, 5
"""How many columns `bin_features` and `day_features` give."""


@dataclass(frozen=True, slots=True)
class Levels:
    """How far all symbols together moved from their usual levels, by session, and how many they are."""

    level: NDArray[np.float64]
    level_count: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Market(Levels):
    """Sums over symbols and how many they are, by session and bin: surprises, residuals."""

    surprise: Table
    residual: Table
    count: Table

    def others(self, own: Cube, total: Table) -> Cube:
        """Return the mean of all others than each symbol, drawn to zero where they are few."""
        known = ~np.isnan(own)
        left = self.count - known
        mean: Cube = (total - np.where(known, own, 0.0)) / (left + PRIOR_SYMBOLS)
        return np.where(left > 0, mean, 0.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a block of symbols has shown: residual to the profile, level by session."""

    residual: Cube
    level: Table
    usual: Table
    """Mean level of the 20 sessions before."""

    @property
    def levels(self) -> Levels:
        """Return the sums over this block."""
        moved = np.nan_to_num(self.level - self.usual)
        return Levels(moved.sum(axis=0), np.sum(~np.isnan(self.level), axis=0).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Known(Shown):
    """What a block of symbols has shown, and what the filter had expected."""

    surprise: Cube
    clipped: Cube
    """Residual less the usual level, clipped."""

    @property
    def market(self) -> Market:
        """Return the sums over this block."""
        levels = self.levels
        return Market(
            levels.level,
            levels.level_count,
            np.nansum(self.surprise, axis=0),
            np.nansum(self.clipped, axis=0),
            np.sum(~np.isnan(self.surprise), axis=0).astype(np.float64),
        )


_Sums = TypeVar("_Sums", bound=Levels)


def add_markets(parts: list[_Sums]) -> _Sums:
    """Return the sums over all blocks."""
    kind = type(parts[0])
    return kind(*(np.sum([getattr(part, name) for part in parts], axis=0) for name in kind.__dataclass_fields__))


def shown_of(residual: Cube) -> Shown:
    """Gather what residuals (logs less profile) show by themselves."""
    level = medians_along(residual, 2)
    return Shown(residual, level, _mean_before(level, LEVEL_SESSIONS))


def known_of(residual: Cube, forecast: Cube, variance: Cube) -> Known:
    """Gather what is known from residuals (logs less profile), the filter's one-bin forecasts and their variance."""
    shown = shown_of(residual)
    most = SURPRISE_SIGMAS * np.sqrt(variance)
    surprise = np.clip(residual - forecast, -most, most)
    clipped = np.clip(residual - shown.usual[:, :, None], -MOST_RESIDUAL, MOST_RESIDUAL)
    return Known(residual, shown.level, shown.usual, surprise, clipped)


def bin_features(known: Known, market: Market, forecast: Cube, by_factor: Cube) -> Cube:
    """Return what was known before each bin, shape (symbols, sessions, bins, features).

    `forecast`: of the residual by the filter; `by_factor`: by baseline times factor.
    """
    others = market.others(known.surprise, market.surprise)
    others_level = market.others(known.clipped, market.residual)
    moved = known.level - known.usual
    yesterday = known.residual - known.level[:, :, None]
    columns = (
        by_factor - forecast,
        known.usual[:, :, None] - forecast,
        _bins_ago(known.surprise, 1),
        _bins_ago(known.surprise, 2),
        _mean_of_day(known.clipped),
        _sessions_ago(yesterday, 1),
        _sessions_ago(moved, 1)[:, :, None],
        _bins_ago(others, 1),
        _bins_ago(others, 2),
        _mean_of_day(others),
        _mean_of_day(others_level),
        _sessions_ago(others_level, 1),
    )
    return _stack(columns, known.residual.shape)


def day_features(known: Shown, market: Levels) -> Cube:
    """Return what was known the evening before, shape (symbols, sessions, bins, features)."""
    moved = known.level - known.usual
    bins = known.residual.shape[2]
    late = medians_along(known.residual[:, :, -max(bins // 4, 1) :], 2) - known.level
    own_bin = known.residual - known.level[:, :, None]
    left = market.level_count - ~np.isnan(known.level)
    others = np.where(left > 0, (market.level - np.nan_to_num(moved)) / (left + PRIOR_SYMBOLS), 0.0)
    columns = (
        _sessions_ago(moved, 1)[:, :, None],
        (_mean_before(known.level, WEEK) - known.usual)[:, :, None],
        _sessions_ago(late, 1)[:, :, None],
        _sessions_ago(others, 1)[:, :, None],
        _sessions_ago(own_bin, 1),
    )
    return _stack(columns, known.residual.shape)


def _stack(columns: tuple[Cube, ...], shape: tuple[int, ...]) -> Cube:
    return np.stack([np.nan_to_num(np.broadcast_to(column, shape)) for column in columns], axis=-1)


def _mean_before(level: Table, sessions: int) -> Table:
    """Return the mean over the last `sessions` before each; the first has none and takes NaN."""
    known = ~np.isnan(level)
    total = np.pad(np.cumsum(np.where(known, level, 0.0), axis=1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(known, axis=1), ((0, 0), (1, 0)))
    end = np.arange(level.shape[1])
    begin = np.maximum(end - sessions, 0)
    within = count[:, end] - count[:, begin]
    return np.where(within > 0, (total[:, end] - total[:, begin]) / np.maximum(within, 1), np.nan)


def _bins_ago(values: Cube, bins: int) -> Cube:
    moved = np.zeros(values.shape)
    moved[:, :, bins:] = np.nan_to_num(values[:, :, :-bins])
    return moved


def _sessions_ago(values: NDArray[np.float64], sessions: int) -> NDArray[np.float64]:
    moved = np.zeros(values.shape)
    moved[:, sessions:] = np.nan_to_num(values[:, :-sessions])
    return moved


def _mean_of_day(values: Cube) -> Cube:
    """Return the mean of the bins of the day before each bin, drawn to zero by a prior of 3 bins."""
    # summed up to the bin before: a sum less the bin itself would know it in its last digits
    before = values[:, :, :-1]
    known = ~np.isnan(before)
    total, count = np.zeros(values.shape), np.zeros(values.shape)
    total[:, :, 1:] = np.cumsum(np.where(known, before, 0.0), axis=2)
    count[:, :, 1:] = np.cumsum(known, axis=2)
    return total / (count + PRIOR_BINS)


@kernel
def _count(square: Table, cross: NDArray[np.float64], features: Table, target: NDArray[np.float64]) -> None:
    """Add the products of each row with a target, and of a leading one, in order: threads have no say in the sum."""
    width = features.shape[1] + 1
    row = np.ones(width)
    for at in range(len(target)):
        if target[at] == target[at]:
            for field in range(features.shape[1]):
                row[1 + field] = features[at, field]
            for i in range(width):
                cross[i] += row[i] * target[at]
                for j in range(width):
                    square[i, j] += row[i] * row[j]


class Moments:
    """Sums from which a ridge regression with an intercept is solved; blocks are added one after the other."""

    def __init__(self, features: int) -> None:
        self.square = np.zeros((features + 1, features + 1))
        self.cross = np.zeros(features + 1)

    def add(self, features: NDArray[np.float64], target: NDArray[np.float64]) -> None:
        """Count observations (symbols, ..., features) whose target (symbols, ...) is known.

        Targets are clipped at 2 robust deviations of their symbol.
        """
        for columns, wanted in zip(features, target, strict=True):
            told = wanted[~np.isnan(wanted)]
            if not len(told):
                continue
            limit = CLIPPED_SIGMAS * MAD_TO_SIGMA * float(np.median(np.abs(told)))
            rows = np.ascontiguousarray(columns, np.float64).reshape(-1, columns.shape[-1])
            _count(self.square, self.cross, rows, np.clip(wanted, -limit, limit).ravel().astype(np.float64))

    def solve(self) -> NDArray[np.float64]:
        """Return intercept and coefficients, the latter drawn to zero; all zero without observations."""
        count = self.square[0, 0]
        if not count:
            return np.zeros(len(self.cross))
        mean = self.square[0] / count
        spread = np.sqrt(np.maximum(np.diag(self.square) / count - mean**2, 0.0))
        penalty = RIDGE * np.where(spread > 0, spread**2, 1.0)
        penalty[0] = 0.0
        return np.asarray(np.linalg.solve(self.square + np.diag(penalty), self.cross), np.float64)


def groups_of(bins: int) -> list[slice]:
    """Return the bins that share coefficients: the opening ones, and the rest."""
    opening = max(bins // OPENING_PART, 1)
    return [slice(0, opening), slice(opening, bins)] if opening < bins else [slice(0, bins)]


def apply(coefficients: NDArray[np.float64], features: Cube) -> Cube:
    """Return the correction of each forecast."""
    # not a product of matrices: its last digits may depend on how many threads share the work
    corrected: Cube = np.full(features.shape[:-1], coefficients[0])
    for place, coefficient in enumerate(coefficients[1:]):
        corrected += coefficient * features[..., place]
    return corrected
