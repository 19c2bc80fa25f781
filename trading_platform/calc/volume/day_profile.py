"""The shape of a day in logs from few sessions: own bins, drawn towards neighbouring bins and towards all symbols.

How far it is drawn is estimated from the history (empirical Bayes): a bin's own mean counts by how much true difference
between bins there is, beside the noise of a mean over so many sessions. Long histories keep their own shape.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import kernel

Cube = NDArray[np.float64]
Table = NDArray[np.float64]

SWEEPS = 3
OUTLIER = 3.0
MAD_TO_SIGMA = 1.4826
NEIGHBOURS = 25.0
"""Smoothing reaches over one part in 25 of the day, in bins (a standard deviation)."""


@kernel
def _medians_of_rows(values: Table) -> NDArray[np.float64]:
    medians = np.empty(len(values))
    for row in range(len(values)):
        medians[row] = np.nanmedian(values[row])
    return medians


def medians_along(values: Cube, axis: int) -> Table:
    """Return medians of what is known along an axis of a cube, NaN where nothing is (many times as fast as numpy)."""
    rows = np.ascontiguousarray(np.moveaxis(values, axis, 2), np.float64)
    return _medians_of_rows(rows.reshape(-1, rows.shape[2])).reshape(rows.shape[:2])


def winsorise(logs: Cube) -> Cube:
    """Draw each log in to 3 robust deviations of what session and bin medians leave (a median polish)."""
    left = logs - _medians_of_all(logs)
    for _ in range(SWEEPS):
        left -= medians_along(left, 1)[:, None, :]
        left -= medians_along(left, 2)[:, :, None]
    spread = OUTLIER * MAD_TO_SIGMA * _medians_of_all(np.abs(left))
    drawn: Cube = logs - left + np.clip(left, -spread, spread)
    return drawn


def _medians_of_all(cube: Cube) -> Cube:
    return medians_along(cube.reshape(len(cube), 1, -1), 2)[:, :, None]


def common_profile(logs: Cube) -> NDArray[np.float64]:
    """Return the shape that symbols share (bins): the mean of their median shapes, NaN for a bin that none has."""
    shape = medians_along(logs - medians_along(logs, 2)[:, :, None], 1)
    return _weighted_mean(shape, np.sum(~np.isnan(logs), axis=1))


def day_profiles(logs: Cube, common: NDArray[np.float64]) -> tuple[Table, Table]:
    """Return profile (symbols, bins), its mean about zero, and level of each session (symbols, sessions).

    `common`: the shape that all symbols share. NaN for a bin without it, and for the level of a session without a bar.
    """
    own, level = _additive_parts(logs)
    known = np.sum(~np.isnan(logs), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        noise = np.nanvar(logs - level[:, :, None] - own[:, None, :], axis=(1, 2))
    smooth = common + _smooth(own - common, known)
    rough = np.where(known > 0, own - smooth, 0.0)
    error = noise[:, None] / np.maximum(known, 1)
    true = np.maximum(_mean_square(rough, known) - np.nanmean(error, axis=1), 0.0)
    both = true[:, None] + error
    # without any noise a mean is all that is needed
    weight = np.where(both > 0.0, true[:, None] / np.where(both > 0.0, both, 1.0), 1.0)
    profile = np.where(known > 0, smooth + weight * rough, smooth)
    return profile, level


def _additive_parts(logs: Cube) -> tuple[Table, Table]:
    """Return means by bin and by session that together explain the logs, by turns; missing bars do not tilt them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        level = medians_along(logs, 2)
        for _ in range(SWEEPS):
            own = np.nanmean(logs - level[:, :, None], axis=1)
            own -= np.nanmean(own, axis=1, keepdims=True)
            level = np.nanmean(logs - own[:, None, :], axis=2)
    return own, level


def _weighted_mean(own: Table, known: NDArray[np.int64]) -> NDArray[np.float64]:
    total = known.sum(axis=0)
    weighed = np.nansum(np.where(known > 0, own, 0.0) * known, axis=0)
    return np.where(total > 0, weighed / np.maximum(total, 1), np.nan)


@kernel
def _spread(values: Table, near: Table) -> Table:
    """Return the product of two matrices, summed in one order however many threads there are."""
    spread = np.zeros(values.shape)
    for row in range(len(values)):
        for bin_ in range(len(near)):
            if values[row, bin_] != 0.0:
                spread[row] += values[row, bin_] * near[bin_]
    return spread


def _smooth(deviation: Table, known: NDArray[np.int64]) -> Table:
    bins = deviation.shape[1]
    width = bins / NEIGHBOURS
    at = np.arange(bins)
    near = np.exp(-0.5 * ((at[:, None] - at[None, :]) / width) ** 2)
    weight = _spread(known.astype(np.float64), near)
    total = _spread(np.where(known > 0, deviation, 0.0) * known, near)
    return np.where(weight > 0, total / np.maximum(weight, 1e-12), np.nan)


def _mean_square(rough: Table, known: NDArray[np.int64]) -> NDArray[np.float64]:
    bins = np.maximum(np.sum(known > 0, axis=1), 1)
    squares: NDArray[np.float64] = np.sum(rough * rough, axis=1) / bins
    return squares
