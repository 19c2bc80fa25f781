"""Open interest of futures and options, which bars do not tell: made up, the same every time, moved by what is traded.

After each bar up to half of its lots are open more, or less, than before.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.simulator.scatter import scatter
from trading_platform.wire.kite_packets import Segment

Ints = NDArray[np.int64]

CONTRACTS = np.array([Segment.NFO, Segment.CDS, Segment.BFO, Segment.BCD, Segment.MCX, Segment.MCXSX, Segment.NCO])
"""The segments of instruments that expire; in the others nothing is open."""

_MOST = 2_000_000_000
_LEAST_LOTS, _SPAN_LOTS = 2_000, 20_000
_STEPS = 200


def opening_interest(token: Ints, lot: Ints) -> Ints:
    """Return how much was open when the session before ended; zero for what does not expire."""
    zero = np.zeros_like(token)
    lots = np.minimum(_LEAST_LOTS + scatter(token, zero, zero) % _SPAN_LOTS, _MOST // (2 * lot))
    opening: Ints = np.where(np.isin(token & 0xFF, CONTRACTS), lots * lot, 0)
    return opening


def bar_interest(token: Ints, start: Ints, volume: Ints, lot: Ints) -> Ints:
    """Return how much is open after each bar; bars stand in order of token and start."""
    step = scatter(token, start, np.full_like(token, 11)) % (_STEPS + 1) - _STEPS // 2
    lots = np.sign(step) * (volume // lot * np.abs(step) // _STEPS)  # toward zero: less than a lot is none
    change = np.where(np.isin(token & 0xFF, CONTRACTS), lots * lot, 0)
    grown = np.cumsum(change)
    grown -= (grown - change)[np.searchsorted(token, token)]
    interest: Ints = np.clip(opening_interest(token, lot) + grown, 0, _MOST)
    return interest
