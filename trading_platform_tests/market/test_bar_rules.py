import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.market.bar_rules import (
    NS_PER_MINUTE,
    REASONS,
    BarFault,
    day_volume_faults,
    price_words,
    row_faults,
    wire_faults,
)

GOOD = (10.0, 12.0, 9.0, 11.0)


def judge(prices: tuple[float, ...] = GOOD, volume: float = 5.0, start: int = NS_PER_MINUTE) -> BarFault:
    columns = np.array(prices).reshape(4, 1)
    return BarFault(int(row_faults(np.array([start]), columns, np.array([volume]))[0]))


@pytest.mark.parametrize(
    ("prices", "volume", "start", "fault"),
    [
        (GOOD, 5.0, NS_PER_MINUTE, BarFault.NONE),
        (GOOD, 0.0, 0, BarFault.NONE),
        ((10.0, 10.0, 10.0, 10.0), 1.0, 0, BarFault.NONE),
        ((0.01, 0.01, 0.01, 0.01), 1.0, 0, BarFault.NONE),
        ((-3.0, -1.0, -4.0, -2.0), 1.0, 0, BarFault.NOT_POSITIVE),
        ((10.0, 12.0, 0.0, 11.0), 1.0, 0, BarFault.NOT_POSITIVE),
        ((0.0, 0.0, 0.0, 0.0), 0.0, 0, BarFault.NOT_POSITIVE),
        ((10.0, math.nan, 9.0, 11.0), 5.0, 0, BarFault.UNREADABLE),
        ((10.0, math.inf, 9.0, 11.0), 5.0, 0, BarFault.UNREADABLE),
        (GOOD, math.nan, 0, BarFault.UNREADABLE),
        (GOOD, 5.0, NS_PER_MINUTE + 1, BarFault.OFF_MINUTE),
        ((10.0, 8.0, 9.0, 10.0), 5.0, 0, BarFault.HIGH_BELOW_LOW),
        ((13.0, 12.0, 9.0, 11.0), 5.0, 0, BarFault.OUTSIDE_RANGE),
        ((10.0, 12.0, 9.0, 8.0), 5.0, 0, BarFault.OUTSIDE_RANGE),
        (GOOD, -1.0, 0, BarFault.BAD_VOLUME),
        (GOOD, 1.5, 0, BarFault.BAD_VOLUME),
    ],
)
def test_each_rule_has_its_name(prices: tuple[float, ...], volume: float, start: int, fault: BarFault) -> None:
    assert judge(prices, volume, start) is fault


def test_a_broken_row_leaves_its_neighbours_alone() -> None:
    prices = np.array([GOOD, (10.0, 8.0, 9.0, 10.0), GOOD]).T
    faults = row_faults(np.zeros(3, np.int64), prices, np.full(3, 1.0))
    assert faults.tolist() == [0, int(BarFault.HIGH_BELOW_LOW), 0]


def test_every_fault_is_said_in_words() -> None:
    assert set(REASONS) == set(BarFault)


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.sampled_from([100.0, 10_000.0, 10_000_000.0]))
def test_every_word_is_on_its_own_grid(word: int, divisor: float) -> None:
    price = np.full((4, 1), word / divisor)
    assert wire_faults(price, divisor).tolist() == [0 if word else int(BarFault.NO_PRICE_ON_WIRE)]
    assert price_words(price, divisor).ravel().tolist() == [word] * 4


def test_prices_between_words_and_beyond_them_are_refused() -> None:
    prices = np.array([[10.005, 10.05, 3e7], [11.0, 11.0, 3e7], [9.0, 9.0, 3e7], [10.0, 10.0, 3e7]])
    expected = [BarFault.OFF_PRICE_GRID, BarFault.NONE, BarFault.PRICE_TOO_LARGE]
    assert wire_faults(prices, 100.0).tolist() == [int(fault) for fault in expected]


def test_a_price_that_the_wire_rounds_to_nothing_is_no_price() -> None:
    prices = np.array([[0.004, 0.01, -0.01], [1.0] * 3, [0.004, 0.01, -0.01], [1.0] * 3])
    expected = [BarFault.NO_PRICE_ON_WIRE, BarFault.NONE, BarFault.NONE]
    assert wire_faults(prices, 100.0).tolist() == [int(fault) for fault in expected]


def test_the_nearest_float_to_a_decimal_counts_and_its_neighbour_does_not() -> None:
    exact = 1284.75 + 0.05
    off = float(np.nextafter(exact, 2000.0))
    prices = np.array([[exact, off]] * 4)
    assert (wire_faults(prices, 100.0) == int(BarFault.OFF_PRICE_GRID)).tolist() == [exact != 1284.8, off != 1284.8]


def test_a_day_volume_beyond_its_word_loses_only_the_rows_that_do_not_fit() -> None:
    day = np.array([0, 0, 0, 1])
    volume = np.array([2.0**32 - 2, 5.0, 1.0, 7.0])
    assert day_volume_faults(day, volume).tolist() == [0, int(BarFault.DAY_VOLUME_TOO_LARGE), 0, 0]
