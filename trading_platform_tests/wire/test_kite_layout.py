"""Facts of Kite's layout that other rooms build on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from trading_platform.wire.kite_layout import (
    DAMAGE,
    TICK,
    Mode,
    Segment,
    damage_capacity,
    price_divisor,
    tick_capacity,
)
from trading_platform_tests.wire.official_client import DIVISORS, frame


def test_segments_are_those_of_the_official_client() -> None:
    official = {name.upper(): number for name, number in KiteTicker.EXCHANGE_MAP.items() if name != "bsecds"}
    assert {segment.name: segment.value for segment in Segment} == official


def test_modes_are_those_of_the_official_client() -> None:
    assert [mode.name.lower() for mode in Mode] == [KiteTicker.MODE_LTP, KiteTicker.MODE_QUOTE, KiteTicker.MODE_FULL]


@pytest.mark.parametrize(("segment", "divisor"), DIVISORS.items())
def test_divisors(segment: int, divisor: int) -> None:
    assert price_divisor(segment) == divisor


def test_rows_have_no_gaps_and_stay_as_wide_as_stored() -> None:
    for dtype, width in ((TICK, 328), (DAMAGE, 16)):
        assert dtype.itemsize == width == sum(dtype[name].itemsize for name in dtype.names)


def test_capacities_are_reached_by_the_smallest_packets() -> None:
    assert tick_capacity(len(frame(*[bytes(8)] * 7))) == 7
    assert damage_capacity(len(frame(*[b""] * 7))) == 8  # seven empty packets and what may follow


@given(st.lists(st.integers(0, 1000)))
def test_capacity_of_a_batch_holds_its_payloads(sizes: list[int]) -> None:
    for capacity in (tick_capacity, damage_capacity):
        assert capacity(int(np.sum(sizes, dtype=int))) >= sum(capacity(size) for size in sizes)
