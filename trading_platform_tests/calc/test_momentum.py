import csv
from importlib.resources import files

import numpy as np
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.momentum import RSI_FIELDS, rsi_scan
from trading_platform_tests.calc.series import SEEDS, flat, same, walk


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(1, 300), st.integers(2, 40))
def test_rsi_equals_ta_lib(seed: int, length: int, period: int) -> None:
    close = walk(seed, length)[2]
    same(rsi_scan(np.zeros(RSI_FIELDS), float(period), close), talib.RSI(close, period))


def test_rsi_of_a_flat_line_is_what_ta_lib_says() -> None:
    close = flat(40)[2]
    same(rsi_scan(np.zeros(RSI_FIELDS), 14.0, close), talib.RSI(close, 14))


def test_rsi_of_a_line_that_only_rises_or_falls() -> None:
    rising = np.arange(1.0, 40.0)
    assert rsi_scan(np.zeros(RSI_FIELDS), 14.0, rising)[-1] == 100.0
    assert rsi_scan(np.zeros(RSI_FIELDS), 14.0, rising[::-1].copy())[-1] == 0.0


def test_rsi_of_a_published_example() -> None:
    with files("trading_platform_tests.answers").joinpath("rsi_14.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    close = np.array([float(row["close"]) for row in rows])
    expected = np.array([float(row["rsi_14"] or "nan") for row in rows])
    mine = rsi_scan(np.zeros(RSI_FIELDS), 14.0, close)
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(expected))
    # published with two digits, from closes with four
    np.testing.assert_allclose(mine, expected, atol=0.0101)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 120), st.integers(1, 40), st.data())
def test_rsi_resumes_from_a_saved_state(seed: int, length: int, period: int, data: st.DataObject) -> None:
    close = walk(seed, length)[2]
    cut = data.draw(st.integers(0, length))
    state = np.zeros(RSI_FIELDS)
    first = rsi_scan(state, float(period), close[:cut])
    second = rsi_scan(np.frombuffer(state.tobytes()).copy(), float(period), close[cut:])
    whole = rsi_scan(np.zeros(RSI_FIELDS), float(period), close)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
