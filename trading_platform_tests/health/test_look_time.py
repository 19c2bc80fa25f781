from datetime import timedelta
from typing import Any

import pytest

from trading_platform.health.findings import Level
from trading_platform.health.look_time import TimeFacts, check_clock, look_at_time
from trading_platform.health.snapshots import FeedSnapshot, Observed
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, from_ns
from trading_platform_tests.health.made import at, feed

SECOND = NS_PER_SECOND
NOBODY: Observed[FeedSnapshot] = Observed()


def published(epoch_ns: int, *, rate: float = 1.0, ago: float = 0.0, steady: bool = True) -> dict[str, Any]:
    anchor = elapsed_ns() - int(ago * SECOND)
    return {"epoch_ns": epoch_ns, "rate": rate, "anchor_ns": anchor, "steady": steady}


def test_the_feeds_clock_is_followed() -> None:
    time = look_at_time(feed(clock=published(at(10), rate=20.0, ago=3.0)))
    assert time.source == "feed"
    assert time.now_ns == pytest.approx(at(10, 1), abs=20 * SECOND)
    assert time.is_simulated


@pytest.mark.parametrize(
    "observed",
    [
        NOBODY,
        feed(clock=published(at(10)), age=3601.0),
        feed(clock=published(at(10), ago=-1e6)),  # the machine was started since
    ],
)
def test_without_a_clock_to_follow_it_is_ordinary_time(observed: Observed[FeedSnapshot]) -> None:
    time = look_at_time(observed)
    assert time.source == "wall"
    assert abs(time.now_ns - Clock.wall().now_ns()) < SECOND
    assert check_clock(time).level is Level.GREEN


def test_a_clock_that_is_given_comes_first() -> None:
    given = Clock.starting_at(at(11))
    time = look_at_time(feed(clock=published(at(10))), given)
    assert (time.source, time.clock) == ("given", given)
    assert time.now_ns == pytest.approx(at(11), abs=SECOND)


def test_time_that_messages_tell_stands_still_without_them() -> None:
    quick = published(at(10), rate=600.0, ago=60.0, steady=False)
    assert look_at_time(feed(clock=quick)).now_ns == at(10, 20)  # two real seconds at this speed
    assert look_at_time(feed(clock={**quick, "steady": True})).now_ns > at(15)


@pytest.mark.parametrize(
    ("off", "level"), [(0.9, Level.GREEN), (-0.9, Level.GREEN), (1.5, Level.DEGRADED), (-3, Level.DEGRADED)]
)
def test_a_feed_that_is_not_at_the_time_of_the_wall_is_told(off: float, level: Level) -> None:
    noon = from_ns(Clock.wall().now_ns()).replace(hour=12)
    off_ns = int(off * SECOND)
    now = int(noon.timestamp()) * SECOND + off_ns
    found = check_clock(TimeFacts(Clock.starting_at(now), now, "feed", off))
    assert found.level is level
    if level is Level.DEGRADED:
        assert str(timedelta(seconds=abs(off))) in found.says
        assert ("ahead" in found.says) == (off > 0)


def test_another_day_or_another_speed_is_simulated_and_says_so() -> None:
    other_day = TimeFacts(Clock.starting_at(at(10)), at(10), "feed", -30 * 86_400.0)
    faster = TimeFacts(Clock.starting_at(at(10), 2.0), at(10), "feed", 0.0)
    for time in (other_day, faster):
        found = check_clock(time)
        assert found.level is Level.GREEN
        assert found.says.startswith("simulated time: 2026-07-31 10:00:00")
    # a fraction of a second over midnight is no simulation
    assert not TimeFacts(Clock.starting_at(at(0)), at(0), "feed", 0.2).is_simulated
