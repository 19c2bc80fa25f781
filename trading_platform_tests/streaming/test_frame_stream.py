from datetime import date

import pytest
import redis
from redis.exceptions import ResponseError

from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.frame_stream import FrameStream, StreamExtent
from trading_platform.wire import redis_keys

SESSION = date(2026, 7, 1)


@pytest.fixture
def client(store: RedisManager) -> redis.Redis:
    client = store.connect()
    client.flushall()
    return client


def records(first: int, last: int, size: int = 10) -> list[tuple[int, bytes]]:
    return [(number, bytes([number % 256]) * size) for number in range(first, last + 1)]


def test_entries_carry_the_number_as_id_and_the_bytes_in_one_field(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION)
    assert stream.extent() is None
    stream.append(records(1, 2))
    assert client.xrange("{tp:k1}:frames:20260701") == [(b"1-0", {b"r": b"\1" * 10}), (b"2-0", {b"r": b"\2" * 10})]
    assert stream.extent() == StreamExtent(1, 2, 2)
    assert 0 < client.ttl("{tp:k1}:frames:20260701") <= redis_keys.SESSION_SECONDS


def test_the_window_is_bounded_in_bytes(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION, window_bytes=50_000)
    for first in range(1, 3001, 100):
        stream.append(records(first, first + 99, size=100))
    extent = stream.extent()
    assert extent is not None
    assert extent.last == 3000
    # trimming is by whole nodes of the stream (100 entries or 4 KB), and never cuts into the window
    assert 500 <= extent.last - extent.first + 1 <= 700


def test_a_repeated_number_is_refused(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION)
    stream.append(records(1, 5))
    with pytest.raises(ResponseError):
        stream.append(records(5, 5))
    assert stream.extent() == StreamExtent(1, 5, 5)


def test_a_batch_is_one_transaction(client: redis.Redis) -> None:
    client.config_resetstat()
    FrameStream(client, "k1", SESSION).append(records(1, 3))
    counted = {name: facts["calls"] for name, facts in client.info("commandstats").items()}
    assert [counted[f"cmdstat_{name}"] for name in ("multi", "xadd", "xtrim", "exec")] == [1, 3, 1, 1]


def test_a_batch_of_which_one_is_refused_adds_nothing(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION)
    stream.append(records(1, 2))
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="maxmemory"):
            stream.append(records(3, 5))
    finally:
        client.config_set("maxmemory", 0)
    assert stream.extent() == StreamExtent(1, 2, 2)


def test_an_emptied_stream_remembers_its_newest(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION)
    stream.append(records(1, 3))
    client.xtrim(redis_keys.frames("k1", SESSION), maxlen=0, approximate=False)
    assert stream.extent() == StreamExtent(0, 0, 3)
    stream.delete()
    assert stream.extent() is None


def test_entries_are_paged(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION)
    stream.append(records(1, 2500))
    assert [entry for entry, _ in stream.entries(3, 2400)] == [f"{n}-0".encode() for n in range(3, 2401)]
    assert list(stream.entries(2501, 9999)) == []


def test_content_is_copied_with_a_lifetime(client: redis.Redis) -> None:
    stream = FrameStream(client, "k1", SESSION)
    assert not stream.has_blob("ab")
    stream.put_blob("ab", b"content")
    assert stream.has_blob("ab")
    assert client.get("{tp:k1}:blob:ab") == b"content"
    assert client.ttl("{tp:k1}:blob:ab") > 0
