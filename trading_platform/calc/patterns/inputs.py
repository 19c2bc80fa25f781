"""What a pattern sees of a closed bar, and what it may say: two rows of float64 with named columns."""

from enum import IntEnum

# columns of the row that describes the closed bar; NaN where unknown
OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, RVOL, EMA, RSI, ATR, BAR_COLUMNS = range(11)

# columns of the row that a pattern fills when it fires; NaN where it says nothing
STOP, TARGET, FEATURE_0, FEATURE_1, FEATURE_2, FEATURE_3, VERDICT_COLUMNS = range(7)


# what a step returns when the pattern is not there; a direction otherwise
SILENT = 9


class Direction(IntEnum):
    """The side that a signal speaks for."""

    SHORT = -1
    NONE = 0
    LONG = 1
