"""Profiles once more, by the rules as a trader would write them down: lists, fractions, no arrays."""

from collections.abc import Iterable
from fractions import Fraction

Rows = list[Fraction]


def spread(bars: Iterable[tuple[int, int, int]], rows: int) -> Rows:
    """Spread bars (first row, last row, volume) evenly over their rows."""
    found = [Fraction(0)] * rows
    for first, last, volume in bars:
        for row in range(first, last + 1):
            found[row] += Fraction(volume, last - first + 1)
    return found


def control(volumes: Rows) -> tuple[int, bool]:
    """Find the row with the most: of several that nearest the middle, then on the heavier side, then the lower."""
    traded = [row for row, volume in enumerate(volumes) if volume]
    middle = Fraction(traded[0] + traded[-1], 2)
    above = sum(volume for row, volume in enumerate(volumes) if row > middle)
    below = sum(volume for row, volume in enumerate(volumes) if row < middle)
    most = [row for row in traded if volumes[row] == max(volumes)]

    def preference(row: int) -> tuple[Fraction, int, int]:
        is_heavier = (row > middle and above > below) or (row < middle and below > above)
        return abs(row - middle), 0 if is_heavier else 1, row

    return min(most, key=preference), len(most) > 1


def area(volumes: Rows, poc: int) -> tuple[int, int]:
    """Grow the value area by pairs of rows until it has 70%."""
    traded = [row for row, volume in enumerate(volumes) if volume]
    rows = {poc}
    while sum(volumes[row] for row in rows) < Fraction(7, 10) * sum(volumes):
        up = [row for row in (max(rows) + 1, max(rows) + 2) if row <= traded[-1]]
        down = [row for row in (min(rows) - 1, min(rows) - 2) if row >= traded[0]]
        above, below = sum(volumes[row] for row in up), sum(volumes[row] for row in down)
        if not up or not down:
            rows |= {*up, *down}
        elif above != below:
            rows |= set(up if above > below else down)
        else:
            rows |= set(down if poc - down[0] < up[0] - poc else up)
    return min(rows), max(rows)
