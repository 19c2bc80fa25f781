import numpy as np
import talib

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan, indicators_step
from trading_platform_tests.calc.series import same, walk


def test_each_column_is_its_own_indicator() -> None:
    high, low, close = walk(7, 400)
    rows = indicators_scan(np.zeros(INDICATOR_FIELDS), high, low, close)
    same(rows[:, 0], talib.EMA(close, 20))
    same(rows[:, 1], talib.RSI(close, 14))
    same(rows[:, 2], talib.ATR(high, low, close, 14))


def test_a_step_touches_its_own_row_only() -> None:
    high, low, close = walk(8, 60)
    row = np.full(INDICATOR_FIELDS + 2, 7.0)
    row[1:-1] = 0.0
    for k in range(len(close)):
        indicators_step(row[1:-1], high[k], low[k], close[k])
    assert (row[0], row[-1]) == (7.0, 7.0)
    state = np.zeros(INDICATOR_FIELDS)
    indicators_scan(state, high, low, close)
    np.testing.assert_array_equal(row[1:-1], state)
