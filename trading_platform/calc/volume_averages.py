"""Means of volume and price over the last 20 and 55 sessions, as trend followers use them; whole or unknown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORT_SESSIONS, LONG_SESSIONS = 20, 55


@dataclass(frozen=True, slots=True)
class VolumeAverages:
    """Means over the last sessions of each instrument, shape (instruments,); NaN with fewer sessions than it needs."""

    volume_20: NDArray[np.float64]
    volume_55: NDArray[np.float64]
    price_20: NDArray[np.float64]
    price_55: NDArray[np.float64]

    @property
    def turtle_ready(self) -> NDArray[np.bool_]:
        """Tell of which instruments the long means are known, volume and price."""
        return ~(np.isnan(self.volume_55) | np.isnan(self.price_55))


def volume_averages(volumes: NDArray[np.float64], closes: NDArray[np.float64]) -> VolumeAverages:
    """Return the means of day volumes and last prices, both (sessions, instruments), oldest first, NaN where unknown.

    An instrument's own last sessions count, so that a day on which it did not trade does not shorten its history.
    """
    return VolumeAverages(
        volume_20=_mean_of_last(volumes, SHORT_SESSIONS),
        volume_55=_mean_of_last(volumes, LONG_SESSIONS),
        price_20=_mean_of_last(closes, SHORT_SESSIONS),
        price_55=_mean_of_last(closes, LONG_SESSIONS),
    )


def _mean_of_last(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    recent = known & (known[::-1].cumsum(axis=0)[::-1] <= count)
    sums = np.where(recent, values, 0.0).sum(axis=0)
    return np.where(recent.sum(axis=0) == count, sums / count, np.nan)
