from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.health.checks_store import BaselineFacts
from trading_platform.health.look_store import look_at_baseline
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire import redis_keys
from trading_platform_tests.health.made import FRIDAY, TABLE

MONDAY = date(2026, 8, 3)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()


@pytest.fixture
def manager(server: RedisManager) -> RedisManager:
    server.connect().flushall()
    return server


def block(session: date) -> bytes:
    expected = {interval: np.ones((3, 2)) for interval in INTERVALS}
    tokens = np.array([1, 2, 3], np.uint32)
    return BaselineBlock(session, tokens, 555, expected, (date(2026, 7, 29), date(2026, 7, 30))).encode()


@pytest.mark.parametrize(("today", "since"), [(FRIDAY, 0), (date(2026, 8, 2), 0), (MONDAY, 1), (date(2026, 8, 5), 3)])
def test_a_baseline_grows_old_by_sessions(manager: RedisManager, today: date, since: int) -> None:
    RedisStore(manager.connect(), "k1").publish_block("baseline", block(FRIDAY))
    assert look_at_baseline(manager, "k1", TABLE, today) == BaselineFacts(FRIDAY, since, 2, 3)


def test_one_of_tomorrow_is_not_old(manager: RedisManager) -> None:
    RedisStore(manager.connect(), "k1").publish_block("baseline", block(MONDAY))
    found = look_at_baseline(manager, "k1", TABLE, FRIDAY)
    assert found is not None
    assert found.sessions_since == 0


def test_how_old_is_not_known_where_the_table_ends(manager: RedisManager) -> None:
    RedisStore(manager.connect(), "k1").publish_block("baseline", block(FRIDAY))
    found = look_at_baseline(manager, "k1", TABLE, date(2029, 1, 1))
    assert found is not None
    assert found.sessions_since is None


def test_nothing_published_a_lost_and_a_foreign_content(manager: RedisManager) -> None:
    client = manager.connect()
    assert look_at_baseline(manager, "k1", TABLE, FRIDAY) == BaselineFacts()
    name = RedisStore(client, "k1").publish_block("baseline", b"something else")
    found = look_at_baseline(manager, "k1", TABLE, FRIDAY)
    assert found is not None
    assert found.problem
    client.delete(redis_keys.blob("k1", name))
    lost = look_at_baseline(manager, "k1", TABLE, FRIDAY)
    assert lost is not None
    assert "lost its content" in (lost.problem or "")


def test_without_a_server_nothing_is_known(tmp_path: Path) -> None:
    assert look_at_baseline(RedisManager(None, tmp_path / "valkey"), "k1", TABLE, FRIDAY) is None
