import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.market.clock import (
    IST,
    NS_PER_SECOND,
    Clock,
    ToldClock,
    as_told,
    elapsed_ns,
    from_ns,
    pause,
    to_ns,
)

moments = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))


@given(moments)
def test_nanoseconds_and_back(moment: datetime) -> None:
    assert from_ns(to_ns(moment)) == moment
    assert to_ns(moment) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def test_moments_come_back_in_the_exchanges_zone() -> None:
    assert from_ns(1470800700 * NS_PER_SECOND).isoformat() == "2016-08-10T09:15:00+05:30"


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        to_ns(datetime(2026, 1, 1))


def test_a_fast_clock_shows_a_day_in_no_time() -> None:
    start = to_ns(datetime(2026, 8, 20, 9, 15, tzinfo=IST))
    clock = Clock.starting_at(start, rate=1_000_000.0)
    pause(0.02)
    assert clock.now_ns() - start >= 20_000 * NS_PER_SECOND
    assert clock.today() == clock.now().date()


def test_real_seconds_until_follow_the_rate_and_never_are_negative() -> None:
    clock = Clock(epoch_ns=0, rate=100.0, anchor_ns=elapsed_ns())
    assert 0.5 < clock.real_seconds_until(100 * NS_PER_SECOND) <= 1.0
    assert clock.real_seconds_until(-NS_PER_SECOND) == 0.0


def test_a_moment_has_its_place_on_the_machines_clock() -> None:
    clock = Clock(epoch_ns=1_000_000_000_000, rate=20.0, anchor_ns=500)
    assert clock.monotonic_ns(1_000_000_000_000) == 500
    assert clock.monotonic_ns(1_000_000_000_000 + 40 * NS_PER_SECOND) == 500 + 2 * NS_PER_SECOND
    fast = Clock(epoch_ns=0, rate=100.0, anchor_ns=elapsed_ns() - 3 * NS_PER_SECOND)
    assert 2.0 <= fast.real_seconds_since(100 * NS_PER_SECOND) < 3.0
    assert fast.real_seconds_since(10**15) < 0.0


def test_the_wall_clock_starts_at_ordinary_time() -> None:
    assert abs(Clock.wall().now_ns() - time.time_ns()) < NS_PER_SECOND


def test_a_told_clock_stands_where_it_was_told() -> None:
    open_ns = to_ns(datetime(2026, 8, 20, 9, 15, tzinfo=IST))
    clock = ToldClock(open_ns, rate=400.0)
    assert clock.now_ns() == clock.now_ns() == open_ns
    clock.hear(as_told(open_ns + 60 * NS_PER_SECOND))
    assert clock.now_ns() == open_ns + 60 * NS_PER_SECOND
    assert clock.today() == datetime(2026, 8, 20).date()
    assert clock.real_seconds_until(open_ns + 100 * NS_PER_SECOND) == 0.1
    assert clock.real_seconds_until(open_ns) == 0.0


def test_a_told_clock_never_goes_back_nor_into_another_day_nor_by_what_is_no_time() -> None:
    begin = to_ns(datetime(2026, 8, 20, 9, 15, tzinfo=IST))
    clock = ToldClock(begin, rate=1.0)
    later = as_told(begin + 5)
    for wrong in (b"", b"keepalive!", later[1:], later + b"x", as_told(begin - 1), as_told(begin + 86_400 * 10**9)):
        clock.hear(wrong)
        assert clock.now_ns() == begin
    clock.hear(later)
    clock.hear(as_told(begin + 4))
    assert clock.now_ns() == begin + 5


def test_a_clock_of_its_own_does_not_listen() -> None:
    clock = Clock(epoch_ns=0, rate=1.0, anchor_ns=elapsed_ns())
    clock.hear(as_told(10**18))
    assert clock.now_ns() < 10**15
