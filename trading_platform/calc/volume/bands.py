"""How far from a median forecast volume comes: quantiles and mean from what was missed on sessions before.

Errors are ln(actual / forecast). Their spread is each symbol's own (drawn to that of all where it has shown little)
and differs over the day; their shape, once divided by the spread, is common to all symbols and need not be normal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.1, 0.25, 0.75, 0.9)
QUANTILE_NAMES = ("q10", "q25", "q75", "q90")
PRIOR_ERRORS = 100.0
PARTS_OF_DAY = 6
_GRID = np.linspace(0.005, 0.995, 100)

Cube = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bands:
    """What a median forecast is multiplied by: for its mean (symbols, bins), for QUANTILES (.., symbols, bins)."""

    mean: NDArray[np.float64]
    quantiles: NDArray[np.float64]


def bands_of(errors: NDArray[np.floating]) -> Bands:
    """Return bands from errors (symbols, sessions, bins; NaN where unknown); NaN without any."""
    symbols, _, bins = errors.shape
    sizes = np.abs(errors)
    if np.isnan(sizes).all():
        return Bands(np.full((symbols, bins), np.nan), np.full((len(QUANTILES), symbols, bins), np.nan))
    overall = max(float(np.nanmedian(sizes)), 1e-6)
    count = np.sum(~np.isnan(sizes), axis=(1, 2))
    own = np.array([np.nanmedian(size) if held else overall for size, held in zip(sizes, count, strict=True)])
    by_symbol = (count * own + PRIOR_ERRORS * overall) / (count + PRIOR_ERRORS)
    by_part = np.ones(bins)
    relative = sizes / by_symbol[:, None, None]
    for part in np.array_split(np.arange(bins), min(PARTS_OF_DAY, bins)):
        held = relative[:, :, part]
        if not np.isnan(held).all():
            by_part[part] = np.nanmedian(held)
    spread = np.maximum(by_symbol[:, None] * by_part, 1e-6)
    shape = errors / spread[:, None, :]
    at = np.nanquantile(shape, QUANTILES)
    grid = np.nanquantile(shape, _GRID)
    mean = np.exp(spread[:, :, None] * grid).mean(axis=2)
    return Bands(mean, np.exp(at[:, None, None] * spread))
