"""How far surprises usually come: what a filter's standard deviation is multiplied by before z is read off.

The filter knows one noise for all bins, tails are heavier than normal, and a surprise seldom comes alone. So of past
surprises the share above SPIKE_Z is brought to USUAL_SHARE: by time of day over all symbols, by symbol, and behind a
bar that surprised already. A spike then means news, not a time of day, a wild name, or the bar before once more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPIKE_Z = 2.0
USUAL_SHARE = 0.03
"""Of bars, above SPIKE_Z."""
STIRRED_Z = 1.5
"""A bar above this makes the next one less surprising."""
WINDOW_SURPRISES = 2000
"""A time of day is as many bins on either side as hold so many surprises; the first bin stands for itself."""
MOST_OF_DAY = 0.12
"""A window reaches over no larger part of the day on either side."""
PRIOR_BIN, PRIOR_SYMBOL, PRIOR_STIRRED = 300.0, 1000.0, 100.0
"""What is usual for all counts for a bin, for a symbol, and behind a surprise like so many surprises of its own."""

Cube = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurpriseScales:
    """What a surprise in standard deviations of the filter is divided by: all that apply, multiplied."""

    by_bin: NDArray[np.float64]
    by_symbol: NDArray[np.float64]
    stirred: float
    """Behind a bar of the same session above STIRRED_Z; at least 1."""


def surprise_scales(surprises: Cube) -> SurpriseScales:
    """Return the scales of surprises (symbols, sessions, bins; NaN where unknown); 1 where nothing is known."""
    known = ~np.isnan(surprises)
    overall = _scale(surprises[known])
    by_bin = np.array([_shrunk(_scale(found), overall, len(found), PRIOR_BIN) for found in _windows(surprises, known)])
    even = surprises / by_bin
    by_symbol = np.ones(len(surprises))
    for row, (values, there) in enumerate(zip(even, known, strict=True)):
        by_symbol[row] = _shrunk(_scale(values[there]), 1.0, int(there.sum()), PRIOR_SYMBOL)
    even /= by_symbol[:, None, None]
    behind = even[:, :, 1:][(even[:, :, :-1] > STIRRED_Z) & known[:, :, 1:]]
    stirred = _shrunk(_scale(behind), 1.0, len(behind), PRIOR_STIRRED)
    return SurpriseScales(by_bin, by_symbol, max(1.0, stirred))


def _windows(surprises: Cube, known: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return for each bin the surprises that speak for its time of day."""
    bins = surprises.shape[2]
    per_bin = max(float(known.sum()) / max(bins, 1), 1.0)
    half = min(int(np.ceil((WINDOW_SURPRISES / per_bin - 1.0) / 2.0)), int(np.ceil(MOST_OF_DAY * bins)))
    found = []
    for at in range(bins):
        near = slice(0, 1) if at == 0 else slice(max(1, at - max(half, 0)), at + max(half, 0) + 1)
        found.append(surprises[:, :, near][known[:, :, near]])
    return found


def _scale(values: NDArray[np.float64]) -> float:
    """Return by what values are divided so that the usual share of them lies above SPIKE_Z; 1 when none can tell."""
    if not len(values):
        return 1.0
    reached = float(np.quantile(values, 1.0 - USUAL_SHARE)) / SPIKE_Z
    return reached if reached > 0.0 else 1.0


def _shrunk(scale: float, usual: float, count: int, prior: float) -> float:
    return float(np.exp((count * np.log(scale) + prior * np.log(usual)) / (count + prior)))
