"""Values are written in one step under a free name, with their lifetime, or not at all."""

from typing import Any

import pytest

from trading_platform.errors import StoreRefused
from trading_platform.migration.decisions import KeyFacts
from trading_platform.migration.target_keys import staging_key
from trading_platform.migration.typed_values import TypedValue
from trading_platform.storage.migration.raw_commands import ask
from trading_platform.storage.migration.reading import key_facts, small_values
from trading_platform.storage.migration.writing import Outcome, Write, name_it, restore, transact, typed
from trading_platform_tests.migration.two_servers import TwoServers, snapshot, value_of

SOON_MS = 4_000_000_000_123


def fill(servers: TwoServers) -> None:
    client = servers.source
    client.set("string", b"\x00\xff")
    client.set("empty", "")
    client.hset("hash", mapping={f"f{n}": n for n in range(3000)} | {"": "empty name"})
    client.rpush("list", "a", "a", "", "b")
    client.sadd("set", "a", b"\xff")
    client.zadd("zset", {"a": 0.1, "b": 1e300, "c": float("-inf"), "d": 1 / 3})
    client.execute_command("XADD", "stream", "7-3", "f", "1", "f", "2")
    client.execute_command("XADD", "stream", "9-0", "g", "1")
    client.xdel("stream", "9-0")
    client.xgroup_create("stream", "readers", "7-3")
    client.xgroup_create("stream", "behind", "0", entries_read=0)
    client.execute_command("XADD", "bare", "5-5", "a", 1)
    client.xtrim("bare", maxlen=0, approximate=False)


def read(servers: TwoServers) -> dict[bytes, TypedValue]:
    keys = sorted(servers.source.keys())
    facts = [one for one in key_facts(servers.source, 0, keys) if isinstance(one, KeyFacts)]
    return {one.key: value for one, value in zip(facts, small_values(servers.source, facts), strict=True) if value}


def test_every_type_comes_back_as_it_was(servers: TwoServers) -> None:
    fill(servers)
    values = read(servers)
    outcomes = transact(servers.target, [typed(f"t:{key.decode()}", value, None) for key, value in values.items()])
    assert all(outcome == Outcome(True, False, False, "") for outcome in outcomes)
    expected = {b"t:" + key: value for key, value in snapshot(servers.source).items()}
    assert snapshot(servers.target) == expected
    assert servers.target.xinfo_stream("t:stream")["max-deleted-entry-id"] == b"9-0"
    # the usual client loses a repeated field
    assert ask(servers.target, [("XRANGE", "t:stream", "-", "+")]) == [[[b"7-3", [b"f", b"1", b"f", b"2"]]]]


@pytest.mark.parametrize("way", ["typed", "restore"])
def test_lifetimes_are_absolute(servers: TwoServers, way: str) -> None:
    fill(servers)
    writes = []
    for key, value in read(servers).items():
        name = f"t:{key.decode()}"
        dumped: Any = servers.source.dump(key)
        writes.append(typed(name, value, SOON_MS) if way == "typed" else restore(name, dumped, SOON_MS))
    assert all(outcome.is_written and not outcome.error for outcome in transact(servers.target, writes))
    assert {servers.target.pexpiretime(key) for key in servers.target.scan_iter()} == {SOON_MS}
    assert {key[2:]: value_of(servers.target, key) for key in servers.target.scan_iter()} == {
        key: value_of(servers.source, key) for key in servers.source.scan_iter()
    }


def test_a_taken_name_is_never_overwritten(servers: TwoServers) -> None:
    fill(servers)
    values = read(servers)
    names = {key: f"t:{key.decode()}" for key in values}
    for name in names.values():
        servers.target.set(name, "mine")
    writes = [typed(names[key], value, SOON_MS) for key, value in values.items()]
    writes += [restore(names[key], servers.source.dump(key), None) for key in values]  # type: ignore[arg-type]
    assert all(not outcome.is_written and not outcome.error for outcome in transact(servers.target, writes))
    assert set(servers.target.mget(servers.target.keys())) == {b"mine"}
    assert all(ttl == -1 for ttl in map(servers.target.pexpiretime, servers.target.keys()))
    assert len(servers.target.keys()) == len(values)  # nothing half-made is left either


def test_what_has_expired_by_now_is_told(servers: TwoServers) -> None:
    (outcome,) = transact(servers.target, [typed("t", TypedValue("list", [b"a"]), 1000)])
    assert outcome.is_expired
    assert servers.target.keys() == []


def test_a_foreign_format_is_told(servers: TwoServers) -> None:
    (outcome,) = transact(servers.target, [restore("t", b"\x00\x01a\x99\x99\x00\x00\x00\x00\x00\x00\x00\x00", None)])
    assert outcome.is_foreign_format
    assert not outcome.is_written


def test_an_error_beside_the_verdict_is_told(servers: TwoServers) -> None:
    broken = Write([("SET", "x", "1"), ("LPUSH", "x", "1"), ("RENAMENX", "x", "y")], 2)
    (outcome,) = transact(servers.target, [broken])
    assert outcome.is_written
    assert "WRONGTYPE" in outcome.error


def test_a_server_that_takes_none_of_it_is_named(servers: TwoServers) -> None:
    with pytest.raises(StoreRefused, match="unknown command"):
        transact(servers.target, [Write([("SET", "a", "1")], 0), Write([("NOTHING",)], 0)])
    assert servers.target.keys() == []


def test_what_was_put_together_gets_its_name(servers: TwoServers) -> None:
    stage = staging_key("t")
    servers.target.rpush(stage, "a")
    (outcome,) = transact(servers.target, [name_it(stage, "t", SOON_MS)])
    assert outcome.is_written
    assert (servers.target.keys(), servers.target.pexpiretime("t")) == ([b"t"], SOON_MS)
