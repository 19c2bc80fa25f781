"""Price an option chain along a path of its forward, on a smile that belongs to the synthetic market."""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.options import black76_price
from trading_platform.jit import kernel

Floats = NDArray[np.float64]

SKEW, CURVATURE = -0.07, 0.025
"""Of the smile, per standard deviation between strike and forward: puts dearer than calls, both wings up."""
WIDEST = 4.0
"""Deviations beyond which the smile stays flat."""
SHORTEST_YEARS = 1.0 / 365.0
"""The smile of the last day is that of a day."""


@kernel
def smile_vol(at_the_money: float, forward: float, strike: float, years: float) -> float:
    """Return the volatility of a strike."""
    deviation = at_the_money * np.sqrt(max(years, SHORTEST_YEARS))
    distance = min(max(np.log(strike / forward) / deviation, -WIDEST), WIDEST)
    vol: float = at_the_money * (1.0 + SKEW * distance + CURVATURE * distance * distance)
    return vol


@kernel
def price_chain(
    forward: Floats, years: Floats, strikes: Floats, is_call: NDArray[np.bool_], at_the_money: float, rate: float
) -> Floats:
    """Return the price of each option (columns) at each point of the forward's path (rows)."""
    prices = np.empty((len(forward), len(strikes)))
    for row in range(len(forward)):
        for column in range(len(strikes)):
            vol = smile_vol(at_the_money, forward[row], strikes[column], years[row])
            prices[row, column] = black76_price(is_call[column], forward[row], strikes[column], years[row], vol, rate)
    return prices
