import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from trading_platform.errors import StoreUnavailable
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.redis_manager import RedisManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path / "valkey")
    yield manager
    manager.stop_server()


def url_of(manager: RedisManager, tmp_path: Path) -> str:
    manager.connect()
    return f"unix://{tmp_path / 'valkey' / 'valkey.sock'}"


def test_the_embedded_server_is_used_without_a_url(manager: RedisManager, tmp_path: Path) -> None:
    client = manager.connect()
    client.set("key", b"\xff")
    assert client.get("key") == b"\xff"
    assert manager.connect() is client
    assert manager.report is not None
    assert (manager.report.name, manager.report.embedded, manager.report.warnings) == ("valkey", True, ())
    assert manager.address == f"embedded Valkey in {tmp_path / 'valkey'}"


def test_connecting_again_brings_a_killed_server_back(manager: RedisManager, tmp_path: Path) -> None:
    manager.connect().set("key", "value")
    os.kill(EmbeddedValkey(tmp_path / "valkey").ensure_running().pid, signal.SIGKILL)
    assert manager.connect().get("key") == b"value"


def test_a_command_is_not_repeated_behind_our_back(manager: RedisManager, tmp_path: Path) -> None:
    client = manager.connect()
    assert client.connection_pool.connection_kwargs["retry"].get_retries() == 0
    os.kill(EmbeddedValkey(tmp_path / "valkey").ensure_running().pid, signal.SIGKILL)
    with pytest.raises(redis.ConnectionError):
        client.incr("counter")


def test_a_url_is_used_and_not_stopped(manager: RedisManager, tmp_path: Path) -> None:
    by_url = RedisManager(url_of(manager, tmp_path), tmp_path / "unused")
    by_url.connect().set("key", 1)
    assert by_url.report is not None
    assert not by_url.report.embedded
    by_url.stop_server()
    assert manager.connect().get("key") == b"1"
    assert not (tmp_path / "unused").exists()


def test_a_policy_that_evicts_is_refused(manager: RedisManager, tmp_path: Path) -> None:
    url = url_of(manager, tmp_path)
    manager.connect().config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreUnavailable, match=r"maxmemory-policy allkeys-lru.*noeviction"):
        RedisManager(url, tmp_path).connect()


def test_a_server_that_keeps_nothing_is_reported(manager: RedisManager, tmp_path: Path) -> None:
    url = url_of(manager, tmp_path)
    manager.connect().config_set("appendonly", "no")
    by_url = RedisManager(url, tmp_path)
    by_url.connect()
    assert by_url.report is not None
    assert "appendonly off" in by_url.report.warnings[0]


@pytest.mark.parametrize(("version", "usable"), [("6.2.14", False), ("7.0.0", True), ("7.2.4", True), ("10.1", True)])
def test_a_server_that_is_too_old_is_refused(
    manager: RedisManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, usable: bool
) -> None:
    url = url_of(manager, tmp_path)
    real = redis.Redis.info

    def info(client: redis.Redis, section: str) -> Any:
        return {**real(client, section), **({"redis_version": version} if section == "server" else {})}

    monkeypatch.setattr(redis.Redis, "info", info)
    by_url = RedisManager(url, tmp_path)
    if usable:
        by_url.connect()
    else:
        with pytest.raises(StoreUnavailable, match=r"6\.2\.14.*7\.0"):
            by_url.connect()


@pytest.mark.parametrize(
    "url", ["redis://user:s3cret@localhost:1/0", "redis://:s3cret@localhost:1?x=s3cret", "redis://:s3c/ret@localhost:1"]
)
def test_a_password_is_never_shown(tmp_path: Path, url: str) -> None:
    manager = RedisManager(url, tmp_path)
    assert "s3c" not in manager.address
    with pytest.raises(StoreUnavailable, match="localhost") as raised:
        manager.connect()
    assert "s3c" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost:99999999", "redis://localhost?protocol=3"])
def test_a_url_that_cannot_be_used_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreUnavailable):
        RedisManager(url, tmp_path).connect()


def test_closing_lets_go_and_connecting_again_works(manager: RedisManager) -> None:
    manager.close()
    first = manager.connect()
    manager.close()
    assert manager.connect() is not first


def test_attaching_starts_nothing(manager: RedisManager, tmp_path: Path) -> None:
    assert manager.is_embedded
    assert manager.attach() is None
    assert not (tmp_path / "valkey").exists()
    manager.connect().set("key", "value")
    attached = manager.attach()
    assert attached is not None
    assert attached.get("key") == b"value"
    attached.close()
    by_url = RedisManager(url_of(manager, tmp_path), tmp_path / "unused")
    assert not by_url.is_embedded
    other = by_url.attach()
    assert other is not None
    assert other.get("key") == b"value"
    other.close()
