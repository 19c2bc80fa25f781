import threading
from pathlib import Path

import pytest

from trading_platform.cli.bench_watch import PositionWatch
from trading_platform.errors import StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.redis_manager import RedisManager

KEY = "{x}:position"


def test_every_position_is_held_soon_after_it_was_written(tmp_path: Path) -> None:
    manager = RedisManager(None, tmp_path / "valkey")
    client = manager.connect()
    watch = PositionWatch(EmbeddedValkey(tmp_path / "valkey").ensure_running().socket_path, KEY)
    written: list[tuple[int, int]] = []

    def write() -> None:
        for record in (3, 7, 7, 20):
            begun = elapsed_ns()
            client.hset(KEY, mapping={"record": record, "state": "running"})
            written.append((begun, record))

    try:
        writer = threading.Thread(target=write)
        writer.start()
        watch.until(elapsed_ns() + 10 * NS_PER_SECOND, lambda: watch.record == 20)
        writer.join()
        seen = watch.seen()
        assert watch.record == 20
        assert seen.record.tolist() == sorted(seen.record.tolist())
        assert set(seen.record.tolist()) <= {3, 7, 20}
        for at_ns, record in zip(seen.at_ns.tolist(), seen.record.tolist(), strict=True):
            assert at_ns > min(begun for begun, number in written if number == record)
        client.delete(KEY)
        client.hset(KEY, "record", 21)
        watch.until(elapsed_ns() + 10 * NS_PER_SECOND, lambda: watch.record == 21)
        assert watch.record == 21
    finally:
        watch.close()
        manager.stop_server()


def test_a_silent_position_is_followed_until_the_end(tmp_path: Path) -> None:
    manager = RedisManager(None, tmp_path / "valkey")
    manager.connect()
    watch = PositionWatch(EmbeddedValkey(tmp_path / "valkey").ensure_running().socket_path, KEY)
    begun = elapsed_ns()
    watch.until(begun + 50_000_000)
    assert elapsed_ns() >= begun + 50_000_000
    assert (watch.record, len(watch.seen().record)) == (0, 0)
    manager.stop_server()
    with pytest.raises(StoreUnavailable):
        watch.until(elapsed_ns() + 10 * NS_PER_SECOND)


def test_no_server_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        PositionWatch(tmp_path / "none", KEY)
