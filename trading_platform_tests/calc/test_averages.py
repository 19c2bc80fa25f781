import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.averages import EMA_FIELDS, ema_scan, ema_step
from trading_platform_tests.calc.series import SEEDS, flat, same, walk


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(1, 300), st.integers(2, 60))
def test_ema_equals_ta_lib(seed: int, length: int, period: int) -> None:
    close = walk(seed, length)[2]
    same(ema_scan(np.zeros(EMA_FIELDS), float(period), close), talib.EMA(close, period))


def test_ema_of_a_flat_line_is_the_line() -> None:
    close = flat(50)[2]
    same(ema_scan(np.zeros(EMA_FIELDS), 20.0, close), talib.EMA(close, 20))


def test_ema_of_one_period_is_the_price() -> None:
    close = walk(1, 20)[2]
    same(ema_scan(np.zeros(EMA_FIELDS), 1.0, close), close)


def test_ema_worked_by_hand() -> None:
    # three prices: mean of the first two is 2, then 2 + 2/3 * (6 - 2)
    assert ema_scan(np.zeros(EMA_FIELDS), 2.0, np.array([1.0, 3.0, 6.0])).tolist()[1:] == pytest.approx([2.0, 14 / 3])


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 120), st.integers(1, 40), st.data())
def test_ema_resumes_from_a_saved_state(seed: int, length: int, period: int, data: st.DataObject) -> None:
    close = walk(seed, length)[2]
    cut = data.draw(st.integers(0, length))
    whole = ema_scan(np.zeros(EMA_FIELDS), float(period), close)
    state = np.zeros(EMA_FIELDS)
    first = ema_scan(state, float(period), close[:cut])
    second = ema_scan(np.frombuffer(state.tobytes()).copy(), float(period), close[cut:])
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_the_step_is_the_scan() -> None:
    close = walk(2, 60)[2]
    state = np.zeros(EMA_FIELDS)
    steps = [ema_step(state, 20.0, price) for price in close]
    np.testing.assert_array_equal(steps, ema_scan(np.zeros(EMA_FIELDS), 20.0, close))
