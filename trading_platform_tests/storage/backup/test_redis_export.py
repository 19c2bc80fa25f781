"""Every type comes back the same from the export, whatever bytes it holds; hostile lines are refused by name."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_platform.errors import BackupDamaged
from trading_platform.storage.backup.redis_export import PAGE_ELEMENTS, RedisExport
from trading_platform.storage.backup.redis_import import exported_keys, import_keys
from trading_platform.storage.redis_manager import RedisManager


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager.connect()
    manager.stop_server()


@pytest.fixture
def client(server: redis.Redis) -> Any:
    server.flushall()
    return server


def exported(client: redis.Redis) -> bytes:
    return b"".join(line for key in RedisExport(client).keys() for line in key.lines)  # noqa: SIM118


def there_and_back(client: Any) -> tuple[int, int, int]:
    content = exported(client)
    client.flushall()
    pieces = [content[at : at + 777] for at in range(0, len(content), 777)]
    done = import_keys(client, exported_keys(pieces), 0)
    assert exported(client) == content or sorted(exported(client).splitlines()) == sorted(content.splitlines())
    return done.same, done.expired, len(done.different)


def test_all_types_with_all_they_remember(client: Any) -> None:
    client.set(b"string \xff\x00", b"\x00\xfe", pxat=4_000_000_000_123)
    client.rpush("list", *[f"{number}" for number in range(PAGE_ELEMENTS + 3)])
    client.sadd("set", b"\xff", "b", "a")
    client.hset("hash", mapping={b"\xfe": b"\xfd", "b": ""})
    client.zadd("zset", {"a": 0.1, "b": float("inf"), "c": float("-inf"), "d": -1e300})
    client.execute_command("XADD", "stream", "5-1", "twice", "1", "twice", "2")
    client.xadd("stream", {"f": "v"}, id="6-0")
    client.xadd("stream", {"f": "v"}, id="9-9")
    client.xdel("stream", "9-9")
    client.xgroup_create("stream", "readers", id="5-1")
    client.xadd("emptied", {"f": "v"}, id="3-0")
    client.xdel("emptied", "3-0")
    before = {name: client.execute_command("DUMP", name) for name in ("set", "list")}
    assert there_and_back(client) == (7, 0, 0)
    assert client.pexpiretime(b"string \xff\x00") == 4_000_000_000_123
    assert client.get(b"string \xff\x00") == b"\x00\xfe"
    assert client.lrange("list", -1, -1) == [b"502"]
    assert client.smembers("set") == {b"\xff", b"b", b"a"}
    assert client.hgetall("hash") == {b"\xfe": b"\xfd", b"b": b""}
    assert dict(client.zrange("zset", 0, -1, withscores=True))[b"d"] == -1e300
    about = client.xinfo_stream("stream")
    assert (about["last-generated-id"], about["entries-added"], about["max-deleted-entry-id"]) == (b"9-9", 3, b"9-9")
    assert [group["last-delivered-id"] for group in client.xinfo_groups("stream")] == [b"5-1"]
    assert (client.xlen("emptied"), client.xinfo_stream("emptied")["last-generated-id"]) == (0, b"3-0")
    assert before["list"][:1]


values = st.binary(max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    strings=st.dictionaries(values, values, max_size=4),
    hashes=st.dictionaries(values, values, min_size=1, max_size=5),
    scores=st.dictionaries(values, st.floats(allow_nan=False), min_size=1, max_size=5),
)
def test_any_bytes_come_back(
    client: Any, strings: dict[bytes, bytes], hashes: dict[bytes, bytes], scores: dict[bytes, float]
) -> None:
    client.flushall()
    for name, value in strings.items():
        client.set(b"s" + name, value)
    client.hset("hash", mapping=hashes)
    client.zadd("zset", scores)
    same, expired, different = there_and_back(client)
    assert (same, expired, different) == (len(strings) + 2, 0, 0)


def test_lines_can_be_read_by_any_program(client: Any) -> None:
    client.hset("hash", mapping={"field": "value"})
    head, page = exported(client).splitlines()
    assert orjson.loads(head) == {
        "key": "aGFzaA==", "type": "hash", "expires_at_ms": None, "elements": 1, "about": None,
    }  # fmt: skip
    assert orjson.loads(page) == {"values": [["ZmllbGQ=", "dmFsdWU="]]}


def test_a_changed_value_makes_another_digest(client: Any) -> None:
    client.set("a", "1")
    (before,) = RedisExport(client).keys()
    client.set("a", "2")
    (after,) = RedisExport(client).keys()
    assert before.digest != after.digest


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]\n",
        b'{"key":"YQ==","type":"string","expires_at_ms":null,"elements":1,"about":null}\n',
        b'{"key":"%%","type":"string","expires_at_ms":null,"elements":0,"about":null}\n',
        b'{"key":"YQ==","type":"magic","expires_at_ms":null,"elements":1,"about":null}\n{"values":["YQ=="]}\n',
        b'{"key":"YQ==","type":"string","expires_at_ms":null,"elements":1,"about":null}\n{"values":[7]}\n',
    ],
)
def test_lines_that_are_none_of_ours_are_refused(client: Any, content: bytes) -> None:
    with pytest.raises(BackupDamaged, match="export of Redis"):
        import_keys(client, exported_keys([content]), 0)


def test_a_database_that_holds_keys_is_not_filled(client: Any) -> None:
    client.set("a", "1")
    with pytest.raises(BackupDamaged, match="holds keys already"):
        import_keys(client, [], 0)
