from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import BlockFormatError, EngineError, StoreUnavailable
from trading_platform.ports import HeldOutputs
from trading_platform.storage.engine_outputs import RedisEngineOutputs
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import RecordBatch
from trading_platform.wire.records import LATEST, unpack_rows
from trading_platform_tests.session_data import SHARD, make_session

DATA = make_session(3, minutes=6)
KEYS = [
    make(SHARD, DATA.session)
    for make in (redis_keys.bars, redis_keys.signals, redis_keys.features, redis_keys.latest, redis_keys.position)
]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()


@pytest.fixture
def client(manager: RedisManager) -> Any:
    client = manager.connect()
    client.config_set("maxmemory", 0)
    client.flushall()
    return client


class Writer:
    """A pass and where it writes."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.state = SessionPass(DATA.session, DATA.contents.__getitem__)
        self.outputs = RedisEngineOutputs(client, SHARD, DATA.session)
        self.held = self.outputs.held()

    def write(self, upto: int) -> None:
        rows = DATA.batch.table[self.state.position : upto]
        self.outputs.write(self.state, self.state.feed(RecordBatch(DATA.batch.buffer, rows)))

    def follow(self, upto: int) -> None:
        self.state.feed(RecordBatch(DATA.batch.buffer, DATA.batch.table[self.state.position : upto]))
        self.state.drain_latest()


def everything(client: Any) -> dict[str, bytes | None]:
    return {key: client.dump(key) for key in KEYS}


def held(client: Any) -> HeldOutputs | None:
    return RedisEngineOutputs(client, SHARD, DATA.session).held()


def test_nothing_is_held_before_the_first_write(client: Any) -> None:
    assert held(client) is None


def test_what_was_written_is_held_and_read_back(client: Any) -> None:
    writer = Writer(client)
    for upto in (100, 101, 230, len(DATA)):
        writer.write(upto)
    found = held(client)
    assert found == HeldOutputs(
        len(DATA), {family: d.hex() for family, d in writer.state.digests.items()}, closed=True, whole=True
    )
    fresh = SessionPass(DATA.session, DATA.contents.__getitem__)
    expected = fresh.feed(DATA.batch)
    store = RedisStore(client, SHARD)
    bars, indicators = store.read_bars(DATA.session)
    assert bars.tobytes() == expected.bars.tobytes()
    assert indicators.tobytes() == expected.indicators.tobytes()
    assert store.read_signals(DATA.session).tobytes() == expected.signals.tobytes()
    latest = client.hgetall(redis_keys.latest(SHARD, DATA.session))
    assert {int(token): unpack_rows(LATEST, block).tobytes() for token, block in latest.items()} == {
        int(row["token"]): row.tobytes() for row in fresh.drain_latest()
    }


def test_every_key_has_a_lifetime(client: Any) -> None:
    Writer(client).write(len(DATA))
    assert all(0 < client.ttl(key) <= redis_keys.SESSION_SECONDS for key in KEYS)


def test_a_key_that_comes_later_has_a_lifetime_at_once_and_others_are_renewed(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(client)
    rows = DATA.batch.table
    signals, bars, latest = KEYS[1], KEYS[0], KEYS[3]
    for upto in range(1, len(rows) + 1):
        writer.write(upto)
        assert all(client.ttl(key) != -1 for key in KEYS), upto
    assert client.exists(signals, bars, latest) == 3
    client.persist(bars)
    monkeypatch.setattr(writer.outputs, "_renew_at_ns", 0)
    again = Writer(client)
    again.follow(len(rows))
    writer.outputs.write(again.state, again.state.feed(RecordBatch(DATA.batch.buffer, rows[:0])))
    assert client.ttl(bars) > 0


def test_features_are_a_window(client: Any) -> None:
    writer = Writer(client)
    for upto in (len(DATA) - 5, len(DATA)):
        writer.write(upto)
    assert writer.state.entries["features"] > redis_keys.FEATURES_WINDOW_BLOCKS
    assert client.xlen(redis_keys.features(SHARD, DATA.session)) == redis_keys.FEATURES_WINDOW_BLOCKS
    assert held(client).whole


def test_a_second_writer_is_noticed_before_anything_is_written(client: Any) -> None:
    first, second = Writer(client), Writer(client)
    first.write(120)
    before = everything(client)
    with pytest.raises(StoreUnavailable, match="stand at record 120, this engine left them at none"):
        second.write(90)
    assert everything(client) == before


def test_a_server_that_came_back_with_less_is_noticed_before_anything_is_written(client: Any) -> None:
    writer = Writer(client)
    writer.write(100)
    before = everything(client)
    writer.write(200)
    client.delete(*KEYS)
    for key, content in before.items():
        if content is not None:
            client.restore(key, 0, content)
    with pytest.raises(StoreUnavailable, match="stand at record 100, this engine left them at 200"):
        writer.write(300)
    assert everything(client) == before
    again = Writer(client)
    again.follow(100)
    again.write(len(DATA))
    assert held(client).whole


@pytest.mark.parametrize("first", [60, None])
def test_a_position_that_moves_after_the_look_stops_the_write(
    client: Any, monkeypatch: pytest.MonkeyPatch, first: int | None
) -> None:
    writer, other = Writer(client), Writer(client)
    if first is not None:  # the look before the next write is part of this one
        writer.write(first)
        other.follow(first)
        other.held = other.outputs.held()
        other.write(150)
        told = "stand at record 150, this engine left them at 60"
    else:
        look = writer.outputs._watched_at

        def overtaken(*found: Any) -> None:
            look(*found)
            if held(client) is None:
                other.write(150)

        monkeypatch.setattr(writer.outputs, "_watched_at", overtaken)
        told = "stand at record 150, this engine left them at none"
    before = everything(client)
    with pytest.raises(StoreUnavailable, match=told):
        writer.write(200)
    assert held(client).record == 150
    assert held(client).whole
    assert first is None or everything(client) == before


def test_a_position_that_is_touched_and_put_back_stops_the_write(client: Any) -> None:
    writer = Writer(client)
    writer.write(100)
    client.hset(redis_keys.position(SHARD, DATA.session), "record", 7)
    client.hset(redis_keys.position(SHARD, DATA.session), "record", 100)
    with pytest.raises(StoreUnavailable, match="touched"):
        writer.write(200)
    assert held(client).record == 100


def test_a_connection_that_was_closed_stops_the_write(client: Any) -> None:
    writer = Writer(client)
    writer.write(100)
    client.connection_pool.disconnect()
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.write(200)
    assert held(client).record == 100


@pytest.mark.parametrize("make", [redis_keys.bars, redis_keys.signals, redis_keys.features, redis_keys.latest])
def test_a_key_that_went_missing_is_noticed(client: Any, make: Any) -> None:
    Writer(client).write(len(DATA))
    client.delete(make(SHARD, DATA.session))
    assert not held(client).whole


def test_streams_without_a_position_are_noticed(client: Any) -> None:
    Writer(client).write(len(DATA))
    client.delete(redis_keys.position(SHARD, DATA.session))
    assert held(client) == HeldOutputs(0, {}, closed=False, whole=False)


@pytest.mark.parametrize("key", KEYS)
def test_a_foreign_key_in_the_way_is_named_and_reset_removes_it(client: Any, key: str) -> None:
    client.set(key, "something else")
    with pytest.raises(EngineError, match=rf"{key.replace('{', '.').replace('}', '.')}.*--rebuild"):
        held(client)
    RedisEngineOutputs(client, SHARD, DATA.session).reset()
    Writer(client).write(len(DATA))
    assert held(client).whole


def test_a_key_taken_while_the_engine_runs_is_a_refusal_and_then_named(client: Any) -> None:
    writer = Writer(client)
    writer.write(60)
    client.set(redis_keys.signals(SHARD, DATA.session), "something else")
    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        writer.write(len(DATA))
    with pytest.raises(EngineError, match="--rebuild"):
        held(client)


@pytest.mark.parametrize("mangled", [{"record": "x"}, {"bars_entries": ""}, {"signals_digest": b"\xff"}])
def test_a_position_that_nobody_writes_is_named(client: Any, mangled: dict[str, Any]) -> None:
    Writer(client).write(100)
    client.hset(redis_keys.position(SHARD, DATA.session), mapping=mangled)
    with pytest.raises(BlockFormatError, match="--rebuild"):
        held(client)


def test_a_position_with_a_missing_field_is_named(client: Any) -> None:
    Writer(client).write(100)
    client.hdel(redis_keys.position(SHARD, DATA.session), "bars_entries")
    with pytest.raises(BlockFormatError, match="bars_entries"):
        held(client)


def test_without_memory_nothing_of_a_batch_is_written_and_later_all_of_it(client: Any) -> None:
    writer = Writer(client)
    writer.write(100)
    before = everything(client)
    client.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable, match=r"OOM|maxmemory"):
        writer.write(200)
    client.config_set("maxmemory", 0)
    assert everything(client) == before
    again = Writer(client)
    assert again.held is not None
    assert again.held.record == 100
    again.follow(100)
    again.write(len(DATA))
    assert held(client).whole


def test_no_server_is_said(tmp_path: Path) -> None:
    away = redis.Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0))
    outputs = RedisEngineOutputs(away, SHARD, DATA.session)
    with pytest.raises(StoreUnavailable):
        outputs.held()
    with pytest.raises(StoreUnavailable):
        outputs.reset()
    state = SessionPass(DATA.session, DATA.contents.__getitem__)
    with pytest.raises(StoreUnavailable):
        outputs.write(state, state.feed(DATA.batch))
