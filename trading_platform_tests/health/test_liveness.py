import pytest

from trading_platform.health.findings import Level
from trading_platform.health.liveness import not_at_work
from trading_platform.health.market_hours import MarketHours
from trading_platform.health.snapshots import FeedSnapshot, Observed
from trading_platform_tests.health.made import CLOSED, OPEN, SOON, feed


def judged(observed: Observed[FeedSnapshot], hours: MarketHours) -> tuple[Level, str, str | None] | None:
    return not_at_work(observed, hours, name="feed", silent_seconds=5.0)


@pytest.mark.parametrize("hours", [OPEN, SOON, CLOSED])
def test_one_that_speaks_is_at_work(hours: MarketHours) -> None:
    assert judged(feed(age=4.9), hours) is None


@pytest.mark.parametrize(
    ("observed", "says", "levels"),
    [
        # what is not there, or was stopped in order, is as bad as the hour; the rest is named at any hour
        (Observed(), "no feed of this shard has run here", (2, 1, 0)),
        (feed(state="stopped", age=900.0, alive=False), "was stopped 900 s ago", (2, 1, 0)),
        (feed(state="closed", age=900.0, alive=False), "closed session 2026-07-31", (2, 1, 0)),
        (Observed(problem="x.json is not what this version writes"), "x.json", (2, 1, 1)),
        (feed(alive=False), "process 4711 is gone without a word (recording before)", (2, 1, 1)),
        (feed(age=5.1), "process 4711 has said nothing for 5 s", (2, 1, 1)),
    ],
)
def test_one_that_is_not_at_work_is_as_bad_as_the_hour(
    observed: Observed[FeedSnapshot], says: str, levels: tuple[int, int, int]
) -> None:
    found = [judged(observed, hours) for hours in (OPEN, SOON, CLOSED)]
    assert all(one is not None and says in one[1] for one in found)
    assert tuple(int(one[0]) for one in found if one is not None) == levels
    assert found[0] is not None
    assert found[0][2]  # somebody is told what to do
