"""What a pattern sees of a closed bar, what it asks of it, and what it may say: rows of float64 with named columns."""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from trading_platform.calc.kernel import Matrix, Row, borrowing_kernel

# columns of the row that describes the closed bar; NaN where unknown
OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, RVOL, EMA, RSI, ATR, BAR_COLUMNS = range(11)

# columns of the row that a pattern fills when it fires; NaN where it says nothing
STOP, TARGET, FEATURE_0, FEATURE_1, FEATURE_2, FEATURE_3, VERDICT_COLUMNS = range(7)

# columns of the row of each condition; HOLDS is 1 or 0, NaN where the value or the threshold is unknown
VALUE, THRESHOLD, HOLDS, CONDITION_COLUMNS = range(4)

MAX_CONDITIONS = 5
"""Rows that a pattern may fill for one side."""

# the side of a threshold that most conditions ask for; a plain 1 would compile what takes it once more
ABOVE: Any = np.int64(1)

# what a step returns when the pattern is not there; a direction otherwise
SILENT = 9


class Direction(IntEnum):
    """The side that a signal speaks for."""

    SHORT = -1
    NONE = 0
    LONG = 1


class ConditionName(NamedTuple):
    """What a row of a condition means: `relation` is how value and threshold are compared on the long side, or on none.

    `mirrored`: the short side compares the other way round.
    """

    name: str
    unit: str
    relation: str
    mirrored: bool = False


@borrowing_kernel
def put_reached(row: Row, value: float, threshold: float, side: int) -> None:
    """Fill the row of a condition: the value is at the threshold or beyond it, above (side +1) or below (-1)."""
    _put(row, value, threshold, value >= threshold if side > 0 else value <= threshold)


@borrowing_kernel
def put_passed(row: Row, value: float, threshold: float, side: int) -> None:
    """Fill the row of a condition: the value is beyond the threshold and not at it."""
    _put(row, value, threshold, value > threshold if side > 0 else value < threshold)


@borrowing_kernel
def _put(row: Row, value: float, threshold: float, holds: bool) -> None:  # noqa: FBT001
    row[VALUE] = value
    row[THRESHOLD] = threshold
    # what compares something unknown is neither true nor false
    row[HOLDS] = np.nan if np.isnan(value) or np.isnan(threshold) else (1.0 if holds else 0.0)


@borrowing_kernel
def all_hold(rows: Matrix, count: int) -> bool:
    """Tell whether the first `count` conditions are true; unknown is not."""
    found = 0
    for at in range(count):
        found += int(rows[at, HOLDS] == 1.0)
    return found == count
