import gc
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import PythonRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from trading_platform.resp import Line, PackedHash, packed
from trading_platform.storage.redis_manager import RedisManager

words = st.one_of(st.binary(max_size=50), st.integers(-(2**63), 2**63), st.text(max_size=20))


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()


@pytest.fixture
def client(manager: RedisManager) -> Any:
    client = manager.connect()
    client.flushall()
    return client


def by_the_library(*command: Any) -> bytes:
    """The command as redis-py's own, slow packer writes it."""
    encoder = redis.connection.Encoder("utf-8", "strict", decode_responses=False)
    return b"".join(PythonRespSerializer(6000, encoder.encode).pack(*command))


@given(st.lists(words, max_size=8))
def test_a_command_is_packed_as_the_library_packs_it(arguments: list[Any]) -> None:
    assert packed("XADD", *arguments) == by_the_library("XADD", *arguments)


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.binary(min_size=7, max_size=7), min_size=1))
def test_a_packed_hash_is_what_the_library_packs(fields: dict[int, bytes]) -> None:
    made = PackedHash("{tp}:é", b"head\r\n", 7)
    expected = [item for name, value in fields.items() for item in (name, b"head\r\n" + value)]
    for _ in range(2):  # the second time all names are known
        assert made.set(list(fields), list(fields.values())) == by_the_library("HSET", "{tp}:é", *expected)
    assert len(made) == len(fields)
    made.add([*fields, 2**40])
    assert len(made) == len(fields) + 1


def test_values_that_are_fewer_than_the_names_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        PackedHash("k", b"", 1).set([1, 2], [b"a"])


def test_a_transaction_answers_each_command_and_what_stands_behind(client: Any) -> None:
    line = Line(client)
    done, behind = line.transact(
        [packed("SET", "a", 5), packed("INCR", "a"), packed("HSET", "h", "f", b"\0\r\n")], behind=[packed("GET", "a")]
    )
    assert [bytes(done[0]), *done[1:]] == [b"OK", 6, 1]
    assert behind == [b"6"]
    assert client.hget("h", "f") == b"\0\r\n"


def test_a_watched_key_that_changed_gives_none_and_nothing_is_written(client: Any) -> None:
    line = Line(client)
    line.ask(packed("WATCH", "w"), 1)
    client.set("w", 1)
    assert line.transact([packed("SET", "a", 5)], behind=[packed("GET", "w")]) == (None, [b"1"])
    assert client.get("a") is None
    assert line.transact([packed("SET", "a", 5)])[0] is not None


@pytest.mark.parametrize("wrong", [packed("NOSUCH"), packed("INCR", "text"), packed("GET")])
def test_a_refusal_is_raised_and_gives_the_connection_back(client: Any, wrong: bytes) -> None:
    client.set("text", "x")
    line = Line(client)
    with pytest.raises(ResponseError):
        line.transact([packed("SET", "a", 5), wrong])
    assert not line.is_open
    assert line.ask(packed("GET", "text"), 1) == [b"x"]


def test_a_refusal_outside_a_transaction_is_an_answer(client: Any) -> None:
    first, second = Line(client).ask(packed("NOSUCH") + packed("ECHO", "b"), 2)
    assert isinstance(first, ResponseError)
    assert second == b"b"


def test_a_connection_that_was_closed_is_an_error_once(client: Any) -> None:
    line = Line(client)
    line.ask(packed("PING"), 1)
    client.client_kill_filter(_type="normal", skipme=False)
    with pytest.raises(RedisConnectionError):
        line.ask(packed("PING"), 1)
    assert not line.is_open
    assert [bytes(answer) for answer in line.ask(packed("PING"), 1)] == [b"PONG"]
    client.connection_pool.disconnect()
    with pytest.raises(RedisConnectionError, match="closed"):
        line.ask(packed("PING"), 1)


def test_a_line_that_is_forgotten_gives_its_connection_back(manager: RedisManager) -> None:
    client = manager.connect()
    for _ in range(client.connection_pool.max_connections + 10):
        Line(client).ask(packed("PING"), 1)
        gc.collect(1)  # just made: a collection of all that other tests hold would take long
