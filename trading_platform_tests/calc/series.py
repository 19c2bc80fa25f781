"""Prices for tests of indicators: random walks, flat lines, and their edges."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Prices = NDArray[np.float64]


def walk(seed: int, length: int, *, tick: float = 0.05) -> tuple[Prices, Prices, Prices]:
    """Return high, low, close of a random walk on a grid of ticks."""
    random = np.random.default_rng(seed)
    close = np.round((500.0 + np.cumsum(random.normal(0.0, 0.8, length))) / tick) * tick
    high = close + np.round(random.exponential(0.5, length) / tick) * tick
    low = close - np.round(random.exponential(0.5, length) / tick) * tick
    return high, low, close


def flat(length: int) -> tuple[Prices, Prices, Prices]:
    """Return bars that never move."""
    line = np.full(length, 250.0)
    return line, line.copy(), line.copy()


SEEDS = st.integers(0, 2**32 - 1)


def same(mine: Prices, oracle: Prices, relative: float = 1e-9) -> None:
    """Assert that NaN stands in the same places and the rest agrees."""
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(oracle))
    np.testing.assert_allclose(mine, oracle, rtol=relative, atol=relative)
