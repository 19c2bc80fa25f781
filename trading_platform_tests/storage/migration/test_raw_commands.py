import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from trading_platform.errors import StoreRefused, StoreUnavailable
from trading_platform.storage.migration import raw_commands
from trading_platform.storage.migration.raw_commands import answered, ask, pairs
from trading_platform_tests.migration.two_servers import TwoServers


def test_replies_come_in_order_and_errors_in_their_place(servers: TwoServers) -> None:
    replies = ask(servers.target, [("SET", "a", b"\xff"), ("LPUSH", "a", 1), ("GET", "a"), ("NOTHING",)])
    assert replies[0] == b"OK"
    assert isinstance(replies[1], ResponseError)
    assert replies[2] == b"\xff"
    assert isinstance(replies[3], ResponseError)
    assert ask(servers.target, []) == []


def test_a_repeated_field_of_a_stream_is_not_lost(servers: TwoServers) -> None:
    ((entry,),) = ask(servers.target, [("XADD", "s", "1-0", "f", "1", "f", "2"), ("XRANGE", "s", "-", "+")])[1:]
    assert entry == [b"1-0", [b"f", b"1", b"f", b"2"]]


def test_an_error_that_must_not_be_stops(servers: TwoServers) -> None:
    assert answered([1, None]) == [1, None]
    with pytest.raises(StoreRefused, match="unknown command"):
        answered(ask(servers.target, [("NOTHING",)]))


def test_after_a_lost_connection_nobody_gets_replies_of_another(servers: TwoServers) -> None:
    alone = redis.Redis(unix_socket_path=str(servers.target_socket), socket_timeout=0.2)
    alone.set("a", 1)
    with pytest.raises(StoreUnavailable, match="run the command again"):
        ask(alone, [("GET", "a"), ("BLPOP", "nothing", 1)])
    assert ask(alone, [("ECHO", "mine")]) == [b"mine"]


def test_a_server_that_is_not_there_is_named(servers: TwoServers) -> None:
    nobody = redis.Redis(unix_socket_path=f"{servers.target_socket}.none", retry=Retry(NoBackoff(), 0))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        ask(nobody, [("PING",)])


@pytest.mark.parametrize("reply", [{b"a": 1, b"b": 2}, [[b"a", 1], [b"b", 2]], [b"a", 1, b"b", 2]])
def test_pairs_of_both_protocols(reply: object) -> None:
    assert pairs(reply) == [(b"a", 1), (b"b", 2)]
    assert pairs(type(reply)()) == []


def test_after_an_interruption_nobody_gets_replies_of_another(
    servers: TwoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = redis.Redis(unix_socket_path=str(servers.target_socket), max_connections=1)

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(raw_commands, "_reply", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(alone, [("ECHO", "another's")])
    monkeypatch.undo()
    assert ask(alone, [("ECHO", "mine")]) == [b"mine"]
