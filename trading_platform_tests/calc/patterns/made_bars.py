"""Bars for patterns, column by name."""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.patterns import inputs


def bar(**columns: float) -> NDArray[np.float64]:
    row = np.full(inputs.BAR_COLUMNS, np.nan)
    for name, value in columns.items():
        row[getattr(inputs, name.upper())] = value
    return row


def verdict() -> NDArray[np.float64]:
    return np.full(inputs.VERDICT_COLUMNS, np.nan)
