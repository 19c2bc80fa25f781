"""How far surprises usually come: what a filter's standard deviation is multiplied by before z is read off.

The filter knows one noise for all bins, tails are heavier than normal, and a surprise seldom comes alone. So of past
surprises the share above SPIKE_Z is brought to USUAL_SHARE: by time of day over all symbols, by symbol, and behind a
bar that surprised already. A spike then means news, not a time of day, a wild name, or the bar before once more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import kernel

SPIKE_Z = 2.0
USUAL_SHARE = 0.03
"""Of bars, above SPIKE_Z."""
STIRRED_Z = 1.5
"""A bar above this makes the next one less surprising."""
PARTS_OF_DAY = 16
"""Times of day that are told apart, the opening bar not counted: it stands for itself."""
PRIOR_PART, PRIOR_SYMBOL, PRIOR_STIRRED = 300.0, 1000.0, 100.0
"""What is usual for all counts for a time of day, a symbol, and behind a surprise like so many surprises of its own."""

Cube = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurpriseScales:
    """What a surprise in standard deviations of the filter is divided by: all that apply, multiplied."""

    by_part: NDArray[np.float64]
    by_symbol: NDArray[np.float64]
    stirred: float
    """Behind a bar of the same session above STIRRED_Z; at least 1."""


@kernel
def part_of_day(bin_: int, bins: int) -> int:
    """Return the time of day of a bin: 0 for the opening one, then up to PARTS_OF_DAY."""
    return 1 + (bin_ - 1) * PARTS_OF_DAY // (bins - 1) if bin_ > 0 else 0


def surprise_scales(surprises: Cube) -> SurpriseScales:
    """Return the scales of surprises (symbols, sessions, bins; NaN where unknown); 1 where nothing is known."""
    known = ~np.isnan(surprises)
    bins = surprises.shape[2]
    part = np.array([part_of_day(bin_, bins) for bin_ in range(bins)], np.int64)
    overall = _scale(surprises[known])
    by_part = np.empty(PARTS_OF_DAY + 1)
    for k in range(len(by_part)):
        found = surprises[:, :, part == k][known[:, :, part == k]]
        by_part[k] = _shrunk(_scale(found), overall, len(found), PRIOR_PART)
    even = surprises / by_part[part]
    by_symbol = np.ones(len(surprises))
    for row, (values, there) in enumerate(zip(even, known, strict=True)):
        by_symbol[row] = _shrunk(_scale(values[there]), 1.0, int(there.sum()), PRIOR_SYMBOL)
    even /= by_symbol[:, None, None]
    behind = even[:, :, 1:][(even[:, :, :-1] > STIRRED_Z) & known[:, :, 1:]]
    stirred = _shrunk(_scale(behind), 1.0, len(behind), PRIOR_STIRRED)
    return SurpriseScales(by_part, by_symbol, max(1.0, stirred))


def _scale(values: NDArray[np.float64]) -> float:
    """Return by what values are divided so that the usual share of them lies above SPIKE_Z; 1 when none can tell."""
    if not len(values):
        return 1.0
    reached = float(np.quantile(values, 1.0 - USUAL_SHARE)) / SPIKE_Z
    return reached if reached > 0.0 else 1.0


def _shrunk(scale: float, usual: float, count: int, prior: float) -> float:
    return float(np.exp((count * np.log(scale) + prior * np.log(usual)) / (count + prior)))
