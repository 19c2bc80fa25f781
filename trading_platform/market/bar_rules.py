"""What makes a minute bar from outside unusable, as rules on arrays; each rule has a name that is counted and shown."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trading_platform.market.clock import NS_PER_SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faults = NDArray[np.uint8]

NS_PER_MINUTE = 60 * NS_PER_SECOND
MAX_PRICE_WORD = 2**31 - 1
"""Price words are signed 32-bit integers."""
MAX_DAY_VOLUME = 2**32 - 1
"""Volume words are unsigned 32-bit integers."""


class BarFault(IntEnum):
    """Why a row is set aside; a row has the first that applies."""

    NONE = 0
    UNREADABLE = 1
    OFF_MINUTE = 2
    HIGH_BELOW_LOW = 3
    OUTSIDE_RANGE = 4
    BAD_VOLUME = 5
    DUPLICATE = 6
    VOLUME_ON_INDEX = 7
    OUTSIDE_SESSION = 8
    OFF_PRICE_GRID = 9
    PRICE_TOO_LARGE = 10
    DAY_VOLUME_TOO_LARGE = 11
    NOT_POSITIVE = 12
    NO_PRICE_ON_WIRE = 13


REASONS: dict[BarFault, str] = {
    BarFault.NONE: "nothing",
    BarFault.UNREADABLE: "a cell is empty or does not parse",
    BarFault.OFF_MINUTE: "ts is not the start of a minute",
    BarFault.HIGH_BELOW_LOW: "high is below low",
    BarFault.OUTSIDE_RANGE: "open or close lies outside low to high",
    BarFault.BAD_VOLUME: "volume is negative or not a whole number",
    BarFault.DUPLICATE: "an earlier row has the same symbol and ts",
    BarFault.VOLUME_ON_INDEX: "an index has no volume",
    BarFault.OUTSIDE_SESSION: "ts lies outside the phases of the session",
    BarFault.OFF_PRICE_GRID: "a price has more decimals than the wire carries",
    BarFault.PRICE_TOO_LARGE: "a price is larger than a price word holds",
    BarFault.DAY_VOLUME_TOO_LARGE: "the day's volume is larger than a volume word holds",
    BarFault.NOT_POSITIVE: "a price is zero or negative; those of shares and indices are positive",
    BarFault.NO_PRICE_ON_WIRE: "a price of zero is no price on the wire",
}
"""Each fault in words."""


def row_faults(start_ns: Ints, prices: Floats, volume: Floats) -> Faults:
    """Judge each bar of a share or an index alone; `prices` is (4, rows): open, high, low, close; NaN means empty."""
    opened, high, low, close = prices
    faults = np.zeros(len(start_ns), np.uint8)
    _mark(faults, BarFault.UNREADABLE, ~(np.isfinite(prices).all(axis=0) & np.isfinite(volume)))
    _mark(faults, BarFault.NOT_POSITIVE, (prices <= 0.0).any(axis=0))
    _mark(faults, BarFault.OFF_MINUTE, start_ns % NS_PER_MINUTE != 0)
    _mark(faults, BarFault.HIGH_BELOW_LOW, high < low)
    outside = (opened > high) | (opened < low) | (close > high) | (close < low)
    _mark(faults, BarFault.OUTSIDE_RANGE, outside)
    _mark(faults, BarFault.BAD_VOLUME, (volume < 0.0) | (volume != np.floor(volume)))
    return faults


def price_words(prices: Floats, divisor: float) -> Ints:
    """Return the integers that Kite's wire carries for these prices."""
    words: Ints = np.rint(prices * divisor).astype(np.int64)
    return words


def wire_faults(prices: Floats, divisor: float) -> Faults:
    """Judge whether a price word gives each price of a bar back exactly; `prices` as in `row_faults`, all finite.

    A word of zero is how Kite says that there is no price.
    """
    scaled = np.rint(prices * divisor)
    faults = np.zeros(prices.shape[1], np.uint8)
    _mark(faults, BarFault.NO_PRICE_ON_WIRE, (scaled == 0.0).any(axis=0))
    _mark(faults, BarFault.PRICE_TOO_LARGE, (np.abs(scaled) > MAX_PRICE_WORD).any(axis=0))
    _mark(faults, BarFault.OFF_PRICE_GRID, (scaled / divisor != prices).any(axis=0))
    return faults


def day_volume_faults(day_key: Ints, volume: Floats) -> Faults:
    """Judge whether the running volume of a symbol's day still fits its word; rows of a day stand together, in order.

    A row that does not fit is left out of the running sum, so that later and smaller rows of the day survive.
    """
    faults = np.zeros(len(volume), np.uint8)
    totals = np.bincount(day_key, weights=volume) if len(volume) else np.zeros(0)
    for day in np.flatnonzero(totals > MAX_DAY_VOLUME):
        running = 0.0
        for row in np.flatnonzero(day_key == day):
            if running + volume[row] > MAX_DAY_VOLUME:
                faults[row] = BarFault.DAY_VOLUME_TOO_LARGE
            else:
                running += volume[row]
    return faults


def _mark(faults: Faults, fault: BarFault, where: NDArray[np.bool_] | np.bool_) -> None:
    faults[(faults == BarFault.NONE) & where] = fault
