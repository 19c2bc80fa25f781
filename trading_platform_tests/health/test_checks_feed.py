from typing import Any

import pytest

from trading_platform.health import checks_feed as checks
from trading_platform.health.findings import Level
from trading_platform.health.market_hours import MarketHours
from trading_platform.health.snapshots import FeedSnapshot, Observed
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform_tests.health.made import CLOSED, OPEN, SOON, at, clock_at, feed, hours_at, socket

NOBODY: Observed[FeedSnapshot] = Observed()
STALE = feed(age=60.0)
GREEN, DEGRADED, RED = Level


def test_a_feed_that_records_is_green_with_its_figures() -> None:
    found = checks.check_feed(feed(), OPEN)
    assert (found.level, found.says) == (GREEN, "recording session 2026-07-31, record 1,000")
    assert found.figures["records_total"] == 990
    assert found.figures["bytes_total"] == 10**6


@pytest.mark.parametrize(
    ("changed", "says", "levels"),
    [
        ({"state": "idle", "waiting": "no dump"}, "idle: no dump", (2, 1, 0)),
        ({"waiting": "Kite refuses the access token"}, "Kite refuses", (2, 1, 0)),
    ],
)
def test_a_feed_that_waits_is_as_bad_as_the_hour(
    changed: dict[str, Any], says: str, levels: tuple[int, int, int]
) -> None:
    found = [checks.check_feed(feed(**changed), hours) for hours in (OPEN, SOON, CLOSED)]
    assert tuple(int(one.level) for one in found) == levels
    assert all(says in one.says for one in found)


def test_a_feed_that_idles_may_be_silent_for_longer() -> None:
    assert "said nothing" not in checks.check_feed(feed(state="idle", waiting="x", age=15.0), OPEN).says
    assert "said nothing" in checks.check_feed(feed(state="idle", waiting="x", age=21.0), OPEN).says
    assert checks.check_feed(NOBODY, OPEN).level is RED


@pytest.mark.parametrize("observed", [NOBODY, STALE, feed(alive=False), feed(state="stopped")])
def test_what_a_feed_does_not_say_is_never_green_in_market_hours(observed: Observed[FeedSnapshot]) -> None:
    for check in (checks.check_sockets, checks.check_queue, checks.check_stream):
        assert check(observed, OPEN).level is DEGRADED
        assert check(observed, CLOSED).level is GREEN
    assert checks.check_reconnects(observed, OPEN, clock_at(at(10))).level is DEGRADED
    for judged in (
        checks.check_losses(NOBODY, OPEN),
        checks.check_gaps(NOBODY, OPEN, reconciled_bars=None),
    ):
        assert judged.level is DEGRADED


@pytest.mark.parametrize(
    ("sockets", "level", "says"),
    [
        ([socket(0), socket(1)], GREEN, "2 of 2 connected"),
        (
            [socket(0), socket(1, state="pausing", last_ending="lost")],
            DEGRADED,
            "1 of 2 connected; socket 1 is pausing",
        ),
        ([socket(0, quiet_seconds=5.5)], RED, "0 of 1 connected"),
        ([socket(0, quiet_seconds=None, state="connecting")], RED, "nothing heard yet"),
        ([], RED, "none is open"),
    ],
)
def test_sockets_that_are_not_heard_of(sockets: list[dict[str, Any]], level: Level, says: str) -> None:
    found = checks.check_sockets(feed(sockets=sockets), OPEN)
    assert found.level is level
    assert says in found.says
    assert checks.check_sockets(feed(sockets=sockets), CLOSED).level is GREEN


def test_instruments_without_a_socket_are_told() -> None:
    found = checks.check_sockets(feed(refused_instruments=[5, 6]), OPEN)
    assert (found.level, found.figures["refused_instruments"]) == (DEGRADED, 2)
    assert "2 instruments found no place" in found.says


@pytest.mark.parametrize(("count", "level"), [(0, GREEN), (2, GREEN), (3, DEGRADED), (9, DEGRADED), (10, RED)])
def test_many_reconnects_of_late_are_a_storm(count: int, level: Level) -> None:
    # half of them on each socket, all within ten minutes; older ones do not count
    times = [at(9, 55) + k for k in range(count)] + [at(9, 30)]
    sockets = [socket(0, reconnected_ns=times[::2]), socket(1, reconnected_ns=times[1::2])]
    found = checks.check_reconnects(feed(sockets=sockets), OPEN, clock_at(at(10)))
    assert (found.level, found.figures["recent"]) == (level, count)
    # ten times as fast, ten real minutes reach back to 08:20
    fast = checks.check_reconnects(feed(sockets=sockets), OPEN, clock_at(at(10), 10.0))
    assert fast.figures["recent"] == count + 1


@pytest.mark.parametrize(
    ("present", "token", "hours", "level", "says"),
    [
        (True, ("accepted", at(8, 45)), OPEN, GREEN, "accepted, dies Sat 01 Aug 06:00"),
        (True, ("refused", at(8, 45)), OPEN, RED, "Kite refuses the token"),
        (True, ("refused", None), SOON, DEGRADED, "Kite refuses the token"),
        (True, ("not tried", None), OPEN, DEGRADED, "Kite was not asked yet"),
        (True, ("not tried", None), CLOSED, GREEN, "Kite was not asked yet"),
        (False, ("missing", None), OPEN, RED, "no access token is set"),
        (False, ("missing", None), CLOSED, GREEN, "no access token is set"),
        (False, ("missing", None), hours_at(at(7, 1)), DEGRADED, "no access token is set"),  # two hours are left
        # yesterday's, which nobody has tried again
        (True, ("accepted", at(8, 45) - 86_400 * NS_PER_SECOND), OPEN, RED, "the token died at 06:00"),
        (True, ("accepted", at(8, 45) - 86_400 * NS_PER_SECOND), hours_at(at(6, 30)), GREEN, "died at 06:00"),
        (True, ("accepted", at(8, 45) - 86_400 * NS_PER_SECOND), hours_at(at(7, 30)), DEGRADED, "died at 06:00"),
    ],
)
def test_a_token_has_to_live_while_the_market_is_open(
    present: bool, token: tuple[str, int | None], hours: MarketHours, level: Level, says: str
) -> None:
    told = feed(token={"standing": token[0], "accepted_at_ns": token[1]})
    found = checks.check_token(told, hours, present=present)
    assert found.level is level
    assert says in found.says
    assert (found.advice is not None) == (level is not GREEN and "not asked" not in says)


def test_without_a_feed_a_token_is_present_or_missing() -> None:
    assert checks.check_token(NOBODY, OPEN, present=True).level is DEGRADED
    assert checks.check_token(NOBODY, OPEN, present=False).level is RED


def test_any_loss_of_today_is_red() -> None:
    assert checks.check_losses(feed(), OPEN).level is GREEN
    lost = feed(so_far={"lost_payloads": 1})
    assert [checks.check_losses(lost, hours).level for hours in (OPEN, CLOSED)] == [RED, RED]
    assert checks.check_losses(feed(so_far={"lost_payloads": 1}, alive=False), OPEN).level is RED
    yesterday = feed(so_far={"lost_payloads": 7, "session": "2026-07-30"})
    found = checks.check_losses(yesterday, OPEN)
    assert (found.level, found.figures["lost_payloads_total"]) == (GREEN, 7)
    assert "7 payloads of session 2026-07-30" in found.says


def test_gaps_of_today_are_told_with_their_seconds() -> None:
    assert checks.check_gaps(feed(), OPEN, reconciled_bars=None).level is GREEN
    found = checks.check_gaps(feed(so_far={"gaps": 3, "gap_seconds": 12.44}), OPEN, reconciled_bars=8)
    assert (found.level, found.figures["gap_seconds_total"]) == (RED, 12.44)
    assert found.says.startswith("3 gaps, 12.4 s, in today's session; 8 bars are reconciled; no candles are fetched")
    away = checks.check_gaps(feed(sockets=[socket(0, away=True)]), OPEN, reconciled_bars=None)
    assert away.level is RED
    assert "1 open now" in away.says
    old = checks.check_gaps(feed(so_far={"gaps": 3, "session": "2026-07-30"}), OPEN, reconciled_bars=None)
    assert old.level is GREEN


@pytest.mark.parametrize(
    ("left", "refused", "waiting", "away", "level", "says"),
    [
        (0, 0, None, False, GREEN, "nothing is left to reconcile"),
        (0, 0, None, True, RED, "1 open now"),
        (7, 0, "no access token", False, RED, "7 instruments wait for candles, no access token"),
        (0, 2, None, False, RED, "2 get none"),
    ],
)
def test_gaps_are_over_when_their_bars_are_reconciled(
    left: int, refused: int, waiting: str | None, away: bool, level: Level, says: str
) -> None:
    candles = {"outstanding_instruments": left, "refused_instruments": refused, "waiting": waiting}
    told = feed(so_far={"gaps": 1, "gap_seconds": 2.0}, candles=candles, sockets=[socket(0, away=away)])
    found = checks.check_gaps(told, OPEN, reconciled_bars=4)
    assert found.level is level
    assert says in found.says
    assert found.figures["unreconciled_instruments"] == left


@pytest.mark.parametrize(
    ("queue", "failures", "level"),
    [
        ({}, 0, GREEN),
        ({"bytes": 99_000, "lag_ms": 900.0}, 0, GREEN),
        ({"bytes": 100_000}, 0, DEGRADED),
        ({"lag_ms": 1000.0}, 0, DEGRADED),
        ({"bytes": 500_000}, 0, RED),
        ({"lag_ms": 10_000.0}, 0, RED),
        ({}, 2, DEGRADED),
        ({"lag_ms": 10_000.0}, 2, RED),
    ],
)
def test_what_waits_for_the_disk(queue: dict[str, Any], failures: int, level: Level) -> None:
    told = feed(queue=queue, write_failures=failures, last_write_failure="No space left on device")
    found = checks.check_queue(told, OPEN)
    assert found.level is level
    assert ("No space left" in found.says) == bool(failures)


def test_a_recorder_without_redis_is_degraded_while_data_flows() -> None:
    away = feed(recorder={"online": False, "last_redis_failure": "ConnectionError: refused", "redis_failures": 4})
    found = checks.check_stream(away, OPEN)
    assert (found.level, found.figures["redis_failures_total"]) == (DEGRADED, 4)
    assert "refused" in found.says
    assert checks.check_stream(away, CLOSED).level is GREEN
    assert checks.check_stream(feed(), OPEN).level is GREEN
