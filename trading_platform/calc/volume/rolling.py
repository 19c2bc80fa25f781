"""Volume of the same bin over the sessions before: mean (RM20), median, and mean of logs."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SESSIONS = 20
FEWEST = 10
"""Sessions with a value that a bin needs; fewer give no number."""

Cube = NDArray[np.float64]
"""Shape (symbols, sessions, bins); NaN where there is no bar."""


def mean_before(volume: Cube, first: int = 0) -> Cube:
    """Return for each session from `first` on the mean over the 20 sessions before it."""
    return _before(volume, first, lambda window: np.nanmean(window, axis=1))


def median_before(volume: Cube, first: int = 0) -> Cube:
    """Return for each session from `first` on the median over the 20 sessions before it."""
    return _before(volume, first, lambda window: np.nanmedian(window, axis=1))


def log_mean_before(logs: Cube, first: int = 0) -> Cube:
    """Return for each session from `first` on the mean of logs over the 20 sessions before it."""
    return mean_before(logs, first)


def _before(values: Cube, first: int, combine: Callable[[Cube], NDArray[np.float64]]) -> Cube:
    symbols, sessions, bins = values.shape
    found = np.full((symbols, sessions - first, bins), np.nan)
    with warnings.catch_warnings():
        # a bin without any value gives NaN, as it should
        warnings.simplefilter("ignore", RuntimeWarning)
        for session in range(max(first, FEWEST), sessions):
            window = values[:, max(session - SESSIONS, 0) : session]
            enough = np.sum(~np.isnan(window), axis=1) >= FEWEST
            found[:, session - first] = np.where(enough, combine(window), np.nan)
    return found
