"""A baseline times today's factor: how far today's bins lie above or below it, in logs, each clipped.

`fast` follows the last bins, `slow` is the mean of the day so far with a prior; the forecast takes half of each. The
day opens with half of yesterday's median. No bin moves the factor by more than its share of one log.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import kernel

MOST_SURPRISE = 1.0
PRIOR_BINS = 3.0
FULL_GAIN, FULL_GAIN_BINS = 0.5, 7.0
LEAST_GAIN = 0.15

Cube = NDArray[np.float64]


def gain_of(bins: int) -> float:
    """Return how much of a surprise the fast factor takes, less where bins are shorter and noisier."""
    return float(np.clip(FULL_GAIN * np.sqrt(FULL_GAIN_BINS / bins) ** 0.6, LEAST_GAIN, FULL_GAIN))


@kernel
def scale_by_today(logs: Cube, baseline: Cube, gain: float, one_bin: Cube, day_ahead: Cube) -> None:
    """Write log forecasts of each bin from the bins before it, and from the evening before; all in one shape."""
    symbols, sessions, bins = logs.shape
    for row in range(symbols):
        opening = 0.0
        for session in range(sessions):
            fast, slow, seen = opening, opening, PRIOR_BINS
            surprises = np.empty(bins)
            for at in range(bins):
                one_bin[row, session, at] = baseline[row, session, at] + 0.5 * (fast + slow)
                day_ahead[row, session, at] = baseline[row, session, at] + opening
                surprise = logs[row, session, at] - baseline[row, session, at]
                surprises[at] = surprise
                if surprise == surprise:
                    seen += 1.0
                    fast += gain * min(max(surprise - fast, -MOST_SURPRISE), MOST_SURPRISE)
                    slow += min(max(surprise - slow, -MOST_SURPRISE), MOST_SURPRISE) / seen
            known = surprises[~np.isnan(surprises)]
            opening = 0.5 * min(max(np.median(known), -MOST_SURPRISE), MOST_SURPRISE) if len(known) else 0.0
