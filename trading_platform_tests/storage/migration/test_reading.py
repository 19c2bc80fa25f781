"""Values of every type are read whole and in pages, and both say the same."""

import pytest

from trading_platform.errors import StoreRefused
from trading_platform.migration.decisions import KeyFacts
from trading_platform.migration.typed_values import Group, TypedValue, ValueDigest
from trading_platform.storage.migration import reading
from trading_platform.storage.migration.reading import (
    batches,
    digests,
    key_facts,
    pages,
    pieces,
    scan_keys,
    small_values,
    stream_tail,
)
from trading_platform_tests.migration.two_servers import TwoServers

KEYS = [b"string", b"hash", b"list", b"set", b"zset", b"stream"]


@pytest.fixture
def filled(servers: TwoServers) -> TwoServers:
    client = servers.source
    client.set("string", b"\x00\xff" * 3000, pxat=4_000_000_000_000)
    client.hset("hash", mapping={f"f{n}": f"v{n}" for n in range(700)})
    client.rpush("list", *(f"{n % 7}" for n in range(700)))
    client.sadd("set", *(f"m{n}" for n in range(700)))
    client.zadd("zset", {f"m{n}": n / 7 for n in range(700)} | {"top": float("inf"), "low": float("-inf")})
    for n in range(300):
        client.execute_command("XADD", "stream", f"{n + 1}-{n}", "f", n, "f", "again")
    client.xtrim("stream", maxlen=200, approximate=False)
    client.xgroup_create("stream", "readers", "150-149")
    client.xreadgroup("readers", "one", {"stream": ">"}, count=3)
    return servers


def facts_of(servers: TwoServers, keys: list[bytes] = KEYS) -> list[KeyFacts]:
    return [one for one in key_facts(servers.source, 0, keys) if one is not None]


def test_each_key_is_found_once(servers: TwoServers) -> None:
    servers.source.mset({f"k{n}": n for n in range(5000)})
    found = [key for keys in scan_keys(servers.source) for key in keys]
    assert sorted(found) == sorted(f"k{n}".encode() for n in range(5000))


def test_facts(filled: TwoServers) -> None:
    found = key_facts(filled.source, 7, [*KEYS, b"nothing"])
    assert found[-1] is None
    assert [one.kind for one in found if one] == [key.decode() for key in KEYS]
    assert [one.expires_ms for one in found if one] == [4_000_000_000_000, *[None] * 5]
    assert all(one.size > 1000 and one.database == 7 for one in found if one)


def test_whole_values(filled: TwoServers) -> None:
    values = dict(zip(KEYS, small_values(filled.source, facts_of(filled)), strict=True))
    assert all(values.values())
    content = {key: value.items for key, value in values.items() if value}
    assert content[b"string"] == [b"\x00\xff" * 3000]
    assert dict(content[b"hash"]) == {f"f{n}".encode(): f"v{n}".encode() for n in range(700)}
    assert content[b"list"][:9] == [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"0", b"1"]
    assert set(content[b"set"]) == {f"m{n}".encode() for n in range(700)}
    scores = dict(content[b"zset"])
    assert (scores[b"top"], scores[b"low"], scores[b"m3"]) == (float("inf"), float("-inf"), 3 / 7)
    assert content[b"stream"][0] == (b"101-100", b"f", b"100", b"f", b"again")
    tail = values[b"stream"].tail if values[b"stream"] else None
    assert tail is not None
    assert (tail.last_id, tail.entries_added, tail.pending) == (b"300-299", 300, 3)
    assert [(group.name, group.last_delivered) for group in tail.groups] == [(b"readers", b"153-152")]
    assert isinstance(tail.groups[0], Group)


def test_pages_give_the_same_digest_as_the_whole(filled: TwoServers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_BYTES", 1000)
    whole = small_values(filled.source, facts_of(filled))
    for facts, value in zip(facts_of(filled), whole, strict=True):
        digest = ValueDigest(facts.kind)
        found = list(pages(filled.source, facts))
        assert len(found) > 1, facts.kind
        for page in found:
            digest.add(page)
        tail = stream_tail(filled.source, facts.key) if facts.kind == "stream" else None
        assert value is not None
        assert digest.finish(tail) == value.digest()


def test_large_values_are_digested_in_pages_and_small_ones_together(
    filled: TwoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = facts_of(filled)
    together = digests(filled.source, [*facts, None])
    monkeypatch.setattr(reading, "LARGE_BYTES", 10)
    asked: list[bytes] = []
    real = pages

    def noting(client: object, one: KeyFacts) -> object:
        asked.append(one.key)
        return real(client, one)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "pages", noting)
    assert digests(filled.source, [*facts, None]) == together
    assert asked == KEYS
    assert together[-1] is None


def test_what_is_gone_or_changed_is_none(filled: TwoServers) -> None:
    facts = facts_of(filled)
    filled.source.delete("string", "hash")
    filled.source.delete("stream")
    filled.source.set("stream", "now a string")
    filled.source.delete("list")
    filled.source.set("list", "now a string")
    values = small_values(filled.source, facts)
    assert [value is None for value in values] == [True, True, True, False, False, True]
    assert digests(filled.source, facts)[0] is None
    assert stream_tail(filled.source, b"stream") is None
    assert stream_tail(filled.source, b"nothing") is None


def test_a_missing_right_is_no_missing_key(filled: TwoServers) -> None:
    facts = facts_of(filled, [b"hash"])
    filled.source.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-hgetall")
    try:
        filled.source.execute_command("AUTH", "blind", "x")
        with pytest.raises(StoreRefused, match="hgetall"):
            small_values(filled.source, facts)
    finally:
        filled.source.connection_pool.disconnect()


def test_batches_fit_and_a_large_one_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_BYTES", 100)
    sizes = [10, 80, 20, 500, 5, 100, 1]
    facts = [(place, KeyFacts(0, b"k", "string", None, size)) for place, size in enumerate(sizes)]
    assert [[one.size for _, one in batch] for batch in batches(facts)] == [[10, 80], [20], [500], [5], [100], [1]]


def test_pieces() -> None:
    assert list(pieces(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(pieces([], 2)) == []


def test_an_empty_stream_is_a_value(servers: TwoServers) -> None:
    servers.source.xadd("s", {"a": 1}, "5-1")
    servers.source.xdel("s", "5-1")
    (value,) = small_values(servers.source, facts_of(servers, [b"s"]))
    assert isinstance(value, TypedValue)
    assert (value.items, value.tail and value.tail.last_id) == ([], b"5-1")


def test_what_the_server_gives_twice_is_taken_once(servers: TwoServers, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[3], [[b"7", [b"a", b"1", b"b", b"2", b"a", b"1"]]], [[b"0", [b"b", b"2", b"c", b"3"]]]])
    monkeypatch.setattr(reading, "ask", lambda *_: next(answers))
    found = list(pages(servers.source, KeyFacts(0, b"hash", "hash", None, 100)))
    assert found == [[(b"a", b"1"), (b"b", b"2")], [(b"c", b"3")]]
