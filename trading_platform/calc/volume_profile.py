"""Volume by price: histogram, point of control, value area by the pair rule, nodes; and how they develop.

A *row* is `row_ticks` ticks of price, counted from price zero: row r holds the ticks [r * row_ticks, (r + 1) *
row_ticks). Volume is kept in whole parts of a share, so that sums do not depend on their order and ties are ties.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import kernel
from trading_platform.later import Later

signal = Later("scipy.signal")

Ints = NDArray[np.int64]

VALUE_AREA_RULE = "cbot_pairs_70"
"""Two rows against two rows from the point of control outwards until 70% of the volume is inside."""
VALUE_AREA_SHARE = 0.7

MOST_ROWS, LEAST_ROWS = 120, 60
"""Rows that an ordinary day has; a day of fewer ticks than this has a row for each."""

PARTS_PER_SHARE = 1 << 10
"""What a settled histogram counts in."""
MOST_VOLUME = 1 << 38
"""Shares of a session that the sums can hold."""

_FINE_PARTS = 1 << 24
_FINE_SHIFT, _FINE_HALF = 14, 1 << 13  # from fine parts to parts
_SMOOTHING_ROWS, _SMOOTHING_REACH = 1.5, 6
_NODE_PROMINENCE, _NODE_DISTANCE, _LOW_SHARE = 0.1, 3, 0.3

POC, TIED, VAL, VAH, INSIDE = range(5)
PROFILE_FIELDS = 5


def row_ticks_for(range_ticks: float) -> int:
    """Return the ticks of a row with which a day of this range (ticks, both ends included) has 60 to 120 rows."""
    return max(1, int(-(-range_ticks // MOST_ROWS)))


@kernel
def spread_volume(histogram: Ints, first: int, last: int, volume: int) -> None:
    """Add a bar to `histogram` (fine parts): the same share of its volume to each row from `first` to `last`."""
    share = volume * _FINE_PARTS // (last - first + 1)
    for row in range(first, last + 1):
        histogram[row] += share


@kernel
def settled(histogram: Ints) -> Ints:
    """Return the volume of each row in parts of a share, rounded: what spreading cannot divide makes no difference."""
    return (histogram + _FINE_HALF) >> _FINE_SHIFT


@kernel
def point_of_control(volumes: Ints) -> tuple[int, int]:
    """Return the row with the most volume and whether others have as much (1) or not (0); -1 without any volume.

    Of several: that nearest the middle of the traded range; then that on the side with more volume; then the lower.
    """
    most, count, low, high = 0, 0, -1, -1
    for row in range(len(volumes)):
        if volumes[row] > 0:
            low = row if low < 0 else low
            high = row
        if volumes[row] > most:
            most, count = volumes[row], 1
        elif volumes[row] == most and most > 0:
            count += 1
    if count == 0:
        return -1, 0
    best, middle = -1, low + high  # twice the middle
    for row in range(low, high + 1):
        if volumes[row] == most and (best < 0 or abs(2 * row - middle) < abs(2 * best - middle)):
            best = row
    mirrored = middle - best
    if count > 1 and mirrored != best and volumes[mirrored] == most and _upper_side_is_heavier(volumes, middle):
        best = mirrored
    return best, 1 if count > 1 else 0


@kernel
def _upper_side_is_heavier(volumes: Ints, middle: int) -> bool:
    difference = 0
    for row in range(len(volumes)):
        if 2 * row > middle:
            difference += volumes[row]
        elif 2 * row < middle:
            difference -= volumes[row]
    return difference > 0


@kernel
def value_area(volumes: Ints, poc: int) -> tuple[int, int, int]:
    """Return the lowest and the highest row of the value area, and its volume.

    The next two rows above are compared with the next two below; the larger pair is added, of equal ones that nearer
    the point of control, then the upper; at an edge one row stands alone. A pair is never split.
    """
    floor, ceiling, total = poc, poc, np.int64(0)
    for row in range(len(volumes)):
        total += volumes[row]
        if volumes[row] > 0:
            floor, ceiling = min(floor, row), max(ceiling, row)
    low = high = poc
    inside = volumes[poc]
    while inside * 10 < total * 7:
        above = _pair(volumes, high + 1, min(high + 2, ceiling))
        below = _pair(volumes, max(low - 2, floor), low - 1)
        is_upper = above > below or (above == below and high - poc <= poc - low)
        if low == floor or (is_upper and high < ceiling):
            high = min(high + 2, ceiling)
            inside += above
        else:
            low = max(low - 2, floor)
            inside += below
    return low, high, inside


@kernel
def _pair(volumes: Ints, first: int, last: int) -> int:
    total = np.int64(0)
    for row in range(first, last + 1):
        total += volumes[row]
    return int(total)


@kernel
def profile_scan(first: Ints, last: Ints, volume: Ints, period: Ints, rows: int) -> tuple[Ints, Ints]:
    """Return the settled histogram, shape (rows,), and the profile at the end of each period, (periods, 5).

    `first` and `last` are the rows that each bar or tick touches, `period` (not falling, from 0) tells when it was.
    The columns are POC, TIED, VAL, VAH (rows) and INSIDE, the volume of the value area in parts of a share; -1 before
    any volume. A period without a trade repeats the one before.
    """
    histogram = np.zeros(rows, np.int64)
    periods = period[-1] + 1 if len(period) else 0
    developing = np.full((periods, PROFILE_FIELDS), -1, np.int64)
    at = 0
    for now in range(periods):
        while at < len(period) and period[at] <= now:
            spread_volume(histogram, first[at], last[at], volume[at])
            at += 1
        volumes = settled(histogram)
        poc, tied = point_of_control(volumes)
        if poc >= 0:
            low, high, inside = value_area(volumes, poc)
            developing[now, POC], developing[now, TIED] = poc, tied
            developing[now, VAL], developing[now, VAH], developing[now, INSIDE] = low, high, inside
    return settled(histogram), developing


def nodes(volumes: Ints) -> tuple[list[int], list[int]]:
    """Return the rows of high and of low volume, ascending, of a settled histogram.

    High: peaks of the histogram smoothed by a Gaussian of 1.5 rows, at least 3 rows apart, that stand out by 10% of
    the volume of the point of control. Low: the least row between two of them, if it has at most 0.3 of the smaller
    one, lies as far below it, and is 3 rows away from both.
    """
    if not volumes.any():
        return [], []
    offset = np.arange(-_SMOOTHING_REACH, _SMOOTHING_REACH + 1)
    weight = np.exp(-0.5 * (offset / _SMOOTHING_ROWS) ** 2)
    smooth = np.convolve(volumes.astype(np.float64), weight / weight.sum())
    least = _NODE_PROMINENCE * float(volumes.max())
    # a peak at the edge is one too: there is no volume beyond
    peaks, _ = signal.find_peaks(smooth, prominence=least, distance=_NODE_DISTANCE)
    high = [int(peak) for peak in peaks]
    low = []
    for left, right in pairwise(high):
        at = left + int(np.argmin(smooth[left : right + 1]))
        smaller = min(smooth[left], smooth[right])
        apart = min(at - left, right - at) >= _NODE_DISTANCE
        if apart and smooth[at] <= _LOW_SHARE * smaller and smaller - smooth[at] >= least:
            low.append(at)
    return [row - _SMOOTHING_REACH for row in high], [row - _SMOOTHING_REACH for row in low]


def poc_shifts(developing: NDArray[np.float64], day_atr: float) -> list[int]:
    """Return the periods at which the point of control moved by a quarter of `day_atr`, and stayed away in the next.

    `developing` holds its price at the end of each half hour, NaN before any volume. None without a known `day_atr`.
    """
    if not day_atr > 0.0:
        return []
    moved = developing[1:] - developing[:-1]
    least = 0.25 * day_atr
    found = []
    for period in range(1, len(developing) - 1):
        step, kept = moved[period - 1], developing[period + 1] - developing[period - 1]
        if abs(step) >= least and abs(kept) >= least and (step > 0) == (kept > 0):
            found.append(period)
    return found
