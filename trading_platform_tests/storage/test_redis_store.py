"""What is written as the engine writes it is read back; blocks are published content first."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import redis

from trading_platform.errors import BlockFormatError, StoreUnavailable
from trading_platform.ports import LivePosition
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire import redis_keys
from trading_platform.wire.records import BAR, FEATURE, INDICATOR, LATEST, SIGNAL, pack_rows
from trading_platform_tests.batch.live_rows import live

SHARD, SESSION = "k1", date(2026, 7, 30)
POSITION = {
    "record": 21,
    "features_digest": "ab",
    "bars": 3,
    "indicators": 2,
    "signals": 1,
    "last_closed": 300,
    "state": "running",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager.connect()
    manager.stop_server()


@pytest.fixture
def client(server: redis.Redis) -> redis.Redis:
    server.flushall()
    return server


def write(client: redis.Redis) -> None:
    bars, indicators, signals = live()
    key = redis_keys.bars(SHARD, SESSION)
    client.xadd(key, {"bars": pack_rows(BAR, bars[:1]), "indicators": pack_rows(INDICATOR, indicators[:1])}, id="10-0")
    client.xadd(key, {"bars": pack_rows(BAR, bars[1:2]), "indicators": pack_rows(INDICATOR, indicators[1:])}, id="20-0")
    client.xadd(key, {"bars": pack_rows(BAR, bars[2:])}, id="21-0")
    client.xadd(redis_keys.signals(SHARD, SESSION), {"signal": pack_rows(SIGNAL, signals)}, id="20-0")
    client.hset(redis_keys.position(SHARD, SESSION), mapping=POSITION)


def test_rows_come_back_in_order(client: redis.Redis) -> None:
    write(client)
    store = RedisStore(client, SHARD)
    bars, indicators, signals = live()
    read_bars, read_indicators = store.read_bars(SESSION)
    assert read_bars.tobytes() == bars.tobytes()
    assert read_indicators.tobytes() == indicators.tobytes()
    assert store.read_signals(SESSION).tobytes() == signals.tobytes()


def test_more_entries_than_a_page(client: redis.Redis) -> None:
    one = live()[0][:1]
    pipe = client.pipeline()
    for number in range(1, 2502):
        pipe.xadd(redis_keys.bars(SHARD, SESSION), {"bars": pack_rows(BAR, one)}, id=f"{number}-0")
    pipe.execute()
    assert len(RedisStore(client, SHARD).read_bars(SESSION)[0]) == 2501


def test_the_position(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    assert store.position(SESSION) is None
    write(client)
    assert store.position(SESSION) == LivePosition(21, "ab", 3, 2, 1, 300, closed=False)
    client.hset(redis_keys.position(SHARD, SESSION), "state", "closed")
    assert store.position(SESSION) == LivePosition(21, "ab", 3, 2, 1, 300, closed=True)


def test_the_position_and_one_instrument_as_it_stood_there(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    position, latest = store.position_and_latest(SESSION, 257)
    assert (position, len(latest)) == (None, 0)
    write(client)
    row = np.zeros(1, LATEST.dtype)
    row["token"], row["last_price"] = 257, 100.5
    client.hset(redis_keys.latest(SHARD, SESSION), mapping={"257": pack_rows(LATEST, row), "258": b"another"})
    client.hset(redis_keys.position(SHARD, SESSION), "received_ns", 7)
    position, latest = store.position_and_latest(SESSION, 257)
    assert position == LivePosition(21, "ab", 3, 2, 1, 300, closed=False, received_ns=7)
    assert latest.tobytes() == row.tobytes()
    with pytest.raises(BlockFormatError):
        store.position_and_latest(SESSION, 258)


def test_features_by_their_entries(client: redis.Redis) -> None:
    rows = np.zeros(2, FEATURE.dtype)
    rows["token"] = [257, 258]
    key = redis_keys.features(SHARD, SESSION)
    client.xadd(key, {"features": pack_rows(FEATURE, rows)}, id="10-0")
    client.xadd(key, {"features": pack_rows(FEATURE, rows[:1])}, id="10-1")
    found = RedisStore(client, SHARD).read_features(SESSION)
    assert {entry: held["token"].tolist() for entry, held in found.items()} == {(10, 0): [257, 258], (10, 1): [257]}
    client.xadd(key, {"other": b"x"}, id="11-0")
    with pytest.raises(BlockFormatError):
        RedisStore(client, SHARD).read_features(SESSION)


@pytest.mark.parametrize("field", ["record", "features_digest", "last_closed", "state"])
def test_a_position_that_is_not_ours_is_refused(client: redis.Redis, field: str) -> None:
    write(client)
    client.hdel(redis_keys.position(SHARD, SESSION), field)
    with pytest.raises(BlockFormatError, match="position of 2026-07-30"):
        RedisStore(client, SHARD).position(SESSION)


def test_nothing_is_empty_not_an_error(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    assert [len(rows) for rows in (*store.read_bars(SESSION), store.read_signals(SESSION))] == [0, 0, 0]
    assert store.last_bar_entry(SESSION) is None


def test_foreign_rows_are_refused(client: redis.Redis) -> None:
    client.xadd(redis_keys.bars(SHARD, SESSION), {"bars": b"not rows at all"})
    with pytest.raises(BlockFormatError):
        RedisStore(client, SHARD).read_bars(SESSION)


def test_waiting_for_bars(client: redis.Redis) -> None:
    write(client)
    store = RedisStore(client, SHARD)
    assert store.last_bar_entry(SESSION) == "21-0"
    assert store.wait_for_bars(SESSION, "20-0", 10)
    assert not store.wait_for_bars(SESSION, "21-0", 10)


def test_a_published_block_is_current_and_does_not_expire(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    first = store.publish_block("baseline", b"first")
    assert client.get(redis_keys.baseline_current(SHARD)) == first.encode()
    assert client.get(redis_keys.blob(SHARD, first)) == b"first"
    assert client.ttl(redis_keys.blob(SHARD, first)) == -1
    assert store.publish_block("baseline", b"first") == first
    assert client.ttl(redis_keys.blob(SHARD, first)) == -1


def test_a_replaced_block_is_forgotten_later(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    first = store.publish_block("seeds", b"first")
    second = store.publish_block("seeds", b"second")
    assert client.get(redis_keys.seeds_current(SHARD)) == second.encode()
    assert 0 < client.ttl(redis_keys.blob(SHARD, first)) <= redis_keys.SESSION_SECONDS
    assert client.ttl(redis_keys.blob(SHARD, second)) == -1


def test_a_block_that_comes_back_stays(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    first = store.publish_block("seeds", b"first")
    store.publish_block("seeds", b"second")
    store.publish_block("seeds", b"first")
    assert client.ttl(redis_keys.blob(SHARD, first)) == -1


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    away = redis.Redis(unix_socket_path=str(tmp_path / "nobody.sock"))
    with pytest.raises(StoreUnavailable, match="did not answer HGETALL"):
        RedisStore(away, SHARD).position(SESSION)
    with pytest.raises(StoreUnavailable, match="did not answer HGETALL"):
        RedisStore(away, SHARD).position_and_latest(SESSION, 257)


def test_the_current_block_is_read_by_its_name(client: redis.Redis) -> None:
    store = RedisStore(client, SHARD)
    assert store.current_block("baseline") is None
    name = store.publish_block("baseline", b"content")
    assert store.current_block("baseline") == (name, b"content")
    client.delete(redis_keys.blob(SHARD, name))
    assert store.current_block("baseline") == (name, None)
