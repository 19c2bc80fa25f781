import numpy as np
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.volatility import ATR_FIELDS, atr_scan
from trading_platform_tests.calc.series import SEEDS, flat, same, walk


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(1, 300), st.integers(2, 40))
def test_atr_equals_ta_lib(seed: int, length: int, period: int) -> None:
    bars = walk(seed, length)
    same(atr_scan(np.zeros(ATR_FIELDS), float(period), *bars), talib.ATR(*bars, period))


def test_atr_of_a_flat_line_is_zero() -> None:
    bars = flat(40)
    same(atr_scan(np.zeros(ATR_FIELDS), 14.0, *bars), talib.ATR(*bars, 14))


def test_a_gap_over_the_night_is_part_of_the_range() -> None:
    high, low, close = np.array([10.0, 21.0, 5.0]), np.array([9.0, 20.0, 4.0]), np.array([9.5, 20.5, 4.5])
    values = atr_scan(np.zeros(ATR_FIELDS), 1.0, high, low, close)
    # from the close before: 21 - 9.5, then 20.5 - 4
    assert values.tolist()[1:] == [11.5, 16.5]


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 120), st.integers(1, 40), st.data())
def test_atr_resumes_from_a_saved_state(seed: int, length: int, period: int, data: st.DataObject) -> None:
    bars = walk(seed, length)
    cut = data.draw(st.integers(0, length))
    state = np.zeros(ATR_FIELDS)
    first = atr_scan(state, float(period), *(line[:cut] for line in bars))
    second = atr_scan(np.frombuffer(state.tobytes()).copy(), float(period), *(line[cut:] for line in bars))
    whole = atr_scan(np.zeros(ATR_FIELDS), float(period), *bars)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
