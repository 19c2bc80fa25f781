"""The profile against its rules: ties by hand, everything else against lists and fractions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.volume_profile import (
    LEAST_ROWS,
    MOST_ROWS,
    MOST_VOLUME,
    PARTS_PER_SHARE,
    POC,
    TIED,
    VAH,
    VAL,
    Ints,
    nodes,
    poc_shifts,
    point_of_control,
    profile_scan,
    row_ticks_for,
    value_area,
)
from trading_platform_tests.calc import profile_oracle as oracle

histograms = st.lists(st.integers(0, 6), min_size=1, max_size=14).filter(any)
bars = st.lists(
    st.tuples(st.integers(0, 19), st.integers(0, 7), st.integers(0, 5_000), st.integers(0, 4)), min_size=1, max_size=30
)


def parts(*shares: float) -> Ints:
    return np.array([round(share * PARTS_PER_SHARE) for share in shares], np.int64)


def of_bars(made: list[tuple[int, int, int, int]]) -> tuple[Ints, Ints]:
    """Fold bars (first row, rows more, volume, period) in the order of their periods."""
    ordered = np.array(sorted(made, key=lambda bar: bar[3]), np.int64)
    first, more, volume, period = (np.ascontiguousarray(column) for column in ordered.T)
    return profile_scan(first, first + more, volume, period, 30)


@pytest.mark.parametrize(
    ("shares", "poc", "tied"),
    [
        ((1, 5, 2), 1, 0),
        ((5, 1, 5, 1, 1), 2, 1),  # nearest the middle
        ((1, 5, 0, 5, 2), 3, 1),  # as near: the side with more
        ((2, 5, 0, 5, 1), 1, 1),
        ((1, 5, 0, 5, 1), 1, 1),  # as heavy: the lower
        ((0, 0, 5, 1, 5, 9, 9, 0), 5, 1),  # the range is what was traded, not the array
        ((5,), 0, 0),
        ((0, 0), -1, 0),
    ],
)
def test_point_of_control_and_its_ties(shares: tuple[int, ...], poc: int, tied: int) -> None:
    assert point_of_control(parts(*shares)) == (poc, tied)


@pytest.mark.parametrize(
    ("shares", "poc", "low", "high"),
    [
        ((10, 10, 50, 12, 12, 6), 2, 2, 4),  # 24 above against 20 below
        ((12, 12, 50, 10, 10, 6), 2, 0, 2),
        ((12, 12, 50, 12, 12, 2), 2, 2, 4),  # equal and as near: the upper
        ((5, 5, 2, 2, 10, 9, 9, 5, 5), 4, 4, 8),  # 18 against 4, then 10 against 4: 38 of 52 is enough
        ((30, 10, 9, 9, 5), 0, 0, 2),  # nothing below
        ((4, 30, 3, 3, 3, 3), 1, 1, 3),  # one row left below, 4, against 6 above: 36 of 46 is enough
        ((7, 30, 3, 3, 3, 3), 1, 0, 1),  # the same with 7: it is used alone
        ((100,), 0, 0, 0),
        ((1, 69, 30), 1, 1, 2),  # 69% is not enough
        ((1, 70, 29), 1, 1, 1),  # 70% is
    ],
)
def test_value_area_by_hand(shares: tuple[int, ...], poc: int, low: int, high: int) -> None:
    volumes = parts(*shares)
    assert value_area(volumes, poc)[:2] == (low, high)


def test_of_equal_pairs_the_nearer_one_goes_first() -> None:
    # 16 up first; then 8 above, which begin three rows away, against 8 below, which begin one row away
    assert value_area(parts(4, 4, 20, 8, 8, 4, 4, 3), 2)[:2] == (0, 4)


@settings(deadline=None)
@given(histograms)
def test_profile_equals_the_oracle(shares: list[int]) -> None:
    volumes, exact = parts(*shares), [oracle.Fraction(share) for share in shares]
    poc, tied = point_of_control(volumes)
    assert (poc, bool(tied)) == oracle.control(exact)
    low, high, inside = value_area(volumes, poc)
    assert (low, high) == oracle.area(exact, poc)
    assert low <= poc <= high
    assert inside == volumes[low : high + 1].sum()
    assert inside * 10 >= volumes.sum() * 7
    # without the rows that came last it would not be enough: minimal under the rule
    assert (
        min(inside - volumes[low : low + 2].sum(), inside - volumes[high - 1 : high + 1].sum()) * 10
        < (volumes.sum() * 7)
        or low == high
    )


@settings(deadline=None)
@given(histograms, st.integers(1, 1000))
def test_ten_times_the_volume_is_the_same_profile(shares: list[int], times: int) -> None:
    volumes = parts(*shares)
    poc, tied = point_of_control(volumes)
    assert point_of_control(volumes * times) == (poc, tied)
    assert value_area(volumes * times, poc)[:2] == value_area(volumes, poc)[:2]


@settings(deadline=None)
@given(histograms)
def test_mirrored_prices_mirror_the_profile_where_nothing_is_tied(shares: list[int]) -> None:
    distinct = parts(*(share * 1000 + 2**place % 997 for place, share in enumerate(shares)))
    poc, tied = point_of_control(distinct)
    mirrored = np.ascontiguousarray(distinct[::-1])
    if tied:
        return
    last = len(distinct) - 1
    low, high, _ = value_area(distinct, poc)
    pairs = {sum(distinct[at : at + 2]) for at in range(last)} | {int(one) for one in distinct}
    if len(pairs) == 2 * last + 1:
        assert point_of_control(mirrored)[0] == last - poc
        assert value_area(mirrored, last - poc)[:2] == (last - high, last - low)


@settings(deadline=None)
@given(bars)
def test_bars_are_spread_and_no_share_is_lost(made: list[tuple[int, int, int, int]]) -> None:
    volumes, developing = of_bars(made)
    exact = oracle.spread([(first, first + more, volume) for first, more, volume, _ in made], 30)
    np.testing.assert_allclose(volumes / PARTS_PER_SHARE, [float(row) for row in exact], atol=1.01 / PARTS_PER_SHARE)
    assert abs(volumes.sum() / PARTS_PER_SHARE - sum(bar[2] for bar in made)) < 0.5
    backwards, _ = of_bars(made[::-1])
    np.testing.assert_array_equal(backwards, volumes)
    if any(exact):
        poc, tied = oracle.control(exact)
        low, high = oracle.area(exact, poc)
        inside = int(volumes[low : high + 1].sum())
        assert developing[-1].tolist() == [poc, int(tied), low, high, inside]
    else:
        assert developing[-1].tolist() == [-1] * 5


@settings(deadline=None)
@given(bars)
def test_each_period_is_the_profile_of_what_was_traded_up_to_then(made: list[tuple[int, int, int, int]]) -> None:
    _, developing = of_bars(made)
    assert len(developing) == max(bar[3] for bar in made) + 1
    for now, row in enumerate(developing):
        exact = oracle.spread([(a, a + more, volume) for a, more, volume, period in made if period <= now], 30)
        if any(exact):
            poc, _ = oracle.control(exact)
            assert (row[POC], row[VAL], row[VAH]) == (poc, *oracle.area(exact, poc))
        else:
            assert row[TIED] == -1


def test_the_most_volume_that_is_taken_does_not_overflow() -> None:
    zero, rows = np.zeros(1, np.int64), 120
    volumes, developing = profile_scan(zero, zero + rows - 1, np.array([MOST_VOLUME]), zero, rows)
    assert abs(volumes.sum() / PARTS_PER_SHARE / MOST_VOLUME - 1) < 1e-9
    assert (volumes > 0).all()
    assert developing[0, POC] in (59, 60)


@pytest.mark.parametrize("ticks", [1, 59, 60, 120, 121, 240, 241, 5000])
def test_an_ordinary_day_has_60_to_120_rows(ticks: int) -> None:
    rows = math.ceil(ticks / row_ticks_for(ticks))
    assert rows <= MOST_ROWS
    assert rows >= LEAST_ROWS or rows == ticks


def bell(middle: int, height: float, width: float = 3.0, rows: int = 60) -> np.ndarray:
    return height * np.exp(-0.5 * ((np.arange(rows) - middle) / width) ** 2)


def test_nodes_of_two_bells_and_the_valley_between() -> None:
    volumes = np.rint((bell(15, 1000) + bell(44, 600)) * PARTS_PER_SHARE).astype(np.int64)
    high, low = nodes(volumes)
    assert high == [15, 44]
    assert len(low) == 1
    assert 24 <= low[0] <= 36


def test_what_does_not_stand_out_is_no_node() -> None:
    volumes = np.rint((bell(15, 1000) + bell(44, 90)) * PARTS_PER_SHARE).astype(np.int64)
    assert nodes(volumes) == ([15], [])
    shallow = np.rint((bell(25, 1000) + bell(34, 900) + 50) * PARTS_PER_SHARE).astype(np.int64)
    high, low = nodes(shallow)
    assert (len(high), low) == (2, [])
    assert nodes(np.zeros(5, np.int64)) == ([], [])


def test_a_node_may_lie_at_the_edge() -> None:
    assert nodes(parts(90, 20, 5, 0, 0, 0, 0, 0, 0, 0, 4, 30, 80))[0] == [0, 12]
    assert nodes(parts(90))[0] == [0]


@pytest.mark.parametrize(
    ("poc", "found"),
    [
        ([100, 105, 105, 105], [1]),
        ([100, 105, 100], []),  # it came back
        ([100, 105, 101], []),  # most of the way
        ([100, 105, 100, 100], [2]),  # and stayed
        ([100, 102, 105, 105], [2]),  # 2 is less than a quarter of 10, 3 is not
        ([100, 105], []),  # whether it lasts is not known yet
        ([105, 105, 100, 99, 104], [2]),
        ([math.nan, 105, 105, 105], []),
        ([100, 102.5, 102.5], [1]),
    ],
)
def test_shifts_of_the_point_of_control(poc: list[float], found: list[int]) -> None:
    assert poc_shifts(np.array(poc, np.float64), 10.0) == found
    assert poc_shifts(np.array(poc, np.float64), math.nan) == []
