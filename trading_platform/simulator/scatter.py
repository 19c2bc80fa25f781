"""Numbers that look random and depend on nothing but what is asked: the same on every machine and in every run."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def scatter(first: Ints, second: Ints, third: Ints) -> Ints:
    """Return a non-negative 62-bit number for each triple (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = _mix(_mix(_mix(first.astype(np.uint64)) + second.astype(np.uint64)) + third.astype(np.uint64))
    numbers: Ints = (mixed >> np.uint64(2)).astype(np.int64)
    return numbers


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
