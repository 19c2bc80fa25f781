"""What a server says of itself, asked of a real one; nothing is started by asking."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_platform.storage.redis_facts import redis_facts
from trading_platform.storage.redis_manager import RedisManager


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    manager.connect()
    yield manager
    manager.stop_server()


def test_a_running_server_tells_all(manager: RedisManager) -> None:
    facts = redis_facts(manager)
    assert (facts.embedded, facts.running, facts.trouble) == (True, True, None)
    assert (facts.policy, facts.aof_enabled, facts.aof_last_write_ok) == ("noeviction", True, True)
    assert facts.used_memory is not None
    assert facts.limit_memory is not None
    assert 0 < facts.used_memory < facts.limit_memory
    assert facts.clients is not None


def test_changed_settings_are_seen(manager: RedisManager) -> None:
    client = manager.connect()
    client.config_set("maxmemory", 64 * 1024 * 1024)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("appendonly", "no")
    facts = redis_facts(manager)
    assert (facts.limit_memory, facts.policy, facts.aof_enabled) == (64 * 1024 * 1024, "allkeys-lru", False)


def test_an_embedded_server_that_does_not_run_is_not_started(tmp_path: Path) -> None:
    facts = redis_facts(RedisManager(None, tmp_path / "valkey"))
    assert (facts.running, facts.trouble) == (False, None)
    assert not (tmp_path / "valkey").exists()


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    facts = redis_facts(RedisManager(f"redis://user:hunter2@127.0.0.1:{port}/0", tmp_path, timeout_seconds=1.0))
    assert (facts.running, facts.embedded) == (False, False)
    assert facts.trouble
    assert "hunter2" not in repr(facts)


def test_a_url_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    facts = redis_facts(RedisManager("redis://h/0?protocol=3", tmp_path))
    assert not facts.running
    assert "protocol" in (facts.trouble or "")
