from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from trading_platform.health.checks_store import BaselineFacts, check_baseline, check_redis
from trading_platform.health.findings import Level
from trading_platform.storage.redis_facts import RedisFacts
from trading_platform_tests.health.made import CLOSED, FRIDAY, OPEN, SOON

GREEN, DEGRADED, RED = Level
GOOD = RedisFacts(
    "redis://***@h:1",
    embedded=False,
    running=True,
    version="7.4",
    policy="noeviction",
    aof_enabled=True,
    aof_last_write_ok=True,
    used_memory=100,
    limit_memory=1000,
    clients=4,
)
TODAY = BaselineFacts(FRIDAY, 0, 20, 250)


def test_a_good_server_is_green_with_its_figures() -> None:
    found = check_redis(GOOD, OPEN)
    assert (found.level, found.advice) == (GREEN, None)
    assert found.figures == {"up": 1, "used_memory_bytes": 100, "memory_share": 0.1, "clients": 4}


@pytest.mark.parametrize(
    ("changed", "level", "says"),
    [
        ({"policy": "allkeys-lru"}, RED, "allkeys-lru may drop keys"),
        ({"policy": None}, RED, "unknown may drop keys"),
        ({"aof_enabled": False}, DEGRADED, "appendonly is off"),
        ({"aof_enabled": None}, DEGRADED, "appendonly is unknown"),
        ({"aof_last_write_ok": False}, RED, "could not be written"),
        ({"used_memory": 749}, GREEN, "74.9% of memory"),
        ({"used_memory": 750}, DEGRADED, "75% of memory is used"),
        ({"used_memory": 900}, RED, "90% of memory is used"),
        ({"limit_memory": None}, DEGRADED, "its memory is not known"),
    ],
)
def test_a_server_that_may_lose_something_is_named_at_any_hour(
    changed: dict[str, Any], level: Level, says: str
) -> None:
    for hours in (OPEN, CLOSED):
        found = check_redis(replace(GOOD, **changed), hours)
        assert found.level is level
        assert says in found.says
        assert (found.advice is None) == (level is GREEN)


def test_a_server_that_does_not_answer() -> None:
    away = replace(GOOD, running=False, trouble="ConnectionError: refused")
    assert [check_redis(away, hours).level for hours in (OPEN, SOON, CLOSED)] == [RED, DEGRADED, DEGRADED]
    # the embedded one is started by who needs it, so it may rest while the market is closed
    rests = RedisFacts("embedded Valkey in x", embedded=True, running=False)
    assert [check_redis(rests, hours).level for hours in (OPEN, SOON, CLOSED)] == [RED, DEGRADED, GREEN]
    assert check_redis(rests, OPEN).figures == {"up": 0}


@pytest.mark.parametrize(
    ("baseline", "level", "says"),
    [
        (TODAY, GREEN, "of session 2026-07-31, from 20 sessions, 250 instruments"),
        (None, DEGRADED, "Redis does not answer"),
        (BaselineFacts(), DEGRADED, "none is published"),
        (BaselineFacts(date(2026, 7, 30), 1, 20, 250), DEGRADED, "1 sessions old"),
        (BaselineFacts(date(2026, 7, 30), None, 20, 250), DEGRADED, "cannot be told"),
        (BaselineFacts(problem="block abc is announced, Redis has lost its content"), DEGRADED, "has lost its content"),
    ],
)
def test_a_baseline_has_to_be_of_today(baseline: BaselineFacts | None, level: Level, says: str) -> None:
    found = check_baseline(baseline, OPEN)
    assert found.level is level
    assert says in found.says
    assert check_baseline(baseline, CLOSED).level is GREEN
