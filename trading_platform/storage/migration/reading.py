"""Read keys of any type: small ones whole and many at a time, large ones in pages of about a megabyte."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import redis
from redis.exceptions import ResponseError

from trading_platform.migration.decisions import KeyFacts
from trading_platform.migration.typed_values import Group, Item, StreamTail, TypedValue, ValueDigest, item_identity
from trading_platform.storage.migration.raw_commands import Command, answered, ask, pairs

LARGE_BYTES = 4 << 20
"""What is larger is never in memory as a whole."""

PAGE_BYTES = 1 << 20
_MOST_ITEMS = 10_000
_SCAN_COUNT = 1000

_WHOLE: dict[str, tuple[str | int, ...]] = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    "stream": ("XRANGE", "-", "+"),
}
_LENGTH = {"string": "STRLEN", "hash": "HLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN"}
T = TypeVar("T")

_CURSOR = {"hash": "HSCAN", "set": "SSCAN"}


def scan_keys(client: "redis.Redis") -> Iterator[list[bytes]]:
    """Yield each key of a database once, in pieces."""
    seen: set[bytes] = set()
    cursor: Any = b"0"
    while True:
        cursor, found = answered(ask(client, [("SCAN", cursor, "COUNT", _SCAN_COUNT)]))[0]
        new = [key for key in dict.fromkeys(found) if key not in seen]
        seen.update(new)
        if new:
            yield new
        if int(cursor) == 0:
            return


def key_facts(client: "redis.Redis", database: int, keys: Sequence[bytes]) -> list[KeyFacts | None]:
    """Ask for type, expiry and size of keys; None where there is none any more."""
    commands: list[Command] = []
    for key in keys:
        commands += (("TYPE", key), ("PEXPIRETIME", key), ("MEMORY", "USAGE", key))
    replies = answered(ask(client, commands))
    return [_facts(database, key, *replies[place * 3 : place * 3 + 3]) for place, key in enumerate(keys)]


def small_values(client: "redis.Redis", facts: Sequence[KeyFacts]) -> list[TypedValue | None]:
    """Read whole values; None for a key that is gone or has another type by now."""
    commands: list[Command] = []
    for one in facts:
        name, *arguments = _WHOLE[one.kind]
        commands.append((name, one.key, *arguments))
        if one.kind == "stream":
            commands += _tail_commands(one.key)
    replies = iter(_unless_changed(ask(client, commands)))
    return [_whole(one.kind, replies) for one in facts]


def pages(client: "redis.Redis", facts: KeyFacts) -> Iterator[list[Item]]:
    """Yield the items of one value in pieces, each once."""
    length = int(answered(ask(client, [(_LENGTH[facts.kind], facts.key)]))[0])
    count = max(1, min(_MOST_ITEMS, PAGE_BYTES * length // max(facts.size, 1)))
    if facts.kind in _CURSOR:
        yield from _by_cursor(client, facts, count)
    elif facts.kind == "stream":
        yield from _by_id(client, facts.key, count)
    else:
        yield from _by_place(client, facts, length, PAGE_BYTES if facts.kind == "string" else count)


def stream_tail(client: "redis.Redis", key: bytes) -> StreamTail | None:
    """Return what a stream knows beside its entries, None when it is gone."""
    replies = _unless_changed(ask(client, _tail_commands(key)))
    return None if None in replies else _tail(*replies)


def digests(client: "redis.Redis", facts: Sequence[KeyFacts | None]) -> list[str | None]:
    """Return the digest of each value, read to its last byte; None for what is gone."""
    found: dict[int, str | None] = {}
    for batch in batches([(place, one) for place, one in enumerate(facts) if one is not None]):
        if batch[0][1].size > LARGE_BYTES:
            found[batch[0][0]] = _large_digest(client, batch[0][1])
            continue
        for (place, _), value in zip(batch, small_values(client, [one for _, one in batch]), strict=True):
            found[place] = value.digest() if value else None
    return [found.get(place) for place in range(len(facts))]


def pieces(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """Cut anything into lists of at most `count`."""
    rest = iter(items)
    while piece := list(islice(rest, count)):
        yield piece


def batches(facts: Sequence[tuple[int, KeyFacts]]) -> Iterator[list[tuple[int, KeyFacts]]]:
    """Cut keys into batches that fit into memory; a large one is alone."""
    batch: list[tuple[int, KeyFacts]] = []
    size = 0
    for place, one in facts:
        if batch and size + one.size > LARGE_BYTES:
            yield batch
            batch, size = [], 0
        batch.append((place, one))
        size += one.size
    if batch:
        yield batch


def _large_digest(client: "redis.Redis", facts: KeyFacts) -> str | None:
    digest = ValueDigest(facts.kind)
    for page in pages(client, facts):
        digest.add(page)
    if facts.kind != "stream":
        return digest.finish()
    tail = stream_tail(client, facts.key)
    return digest.finish(tail) if tail else None


def _facts(database: int, key: bytes, kind: bytes, expires: int, size: int | None) -> KeyFacts | None:
    if kind == b"none" or size is None or expires == -2:
        return None
    return KeyFacts(database, key, kind.decode("ascii"), None if expires < 0 else expires, size)


def _unless_changed(replies: list[Any]) -> list[Any]:
    """Take a key that has another type by now for one that is gone; any other error stops the work."""
    changed = ("WRONGTYPE", "no such key")
    return answered(
        None if isinstance(reply, ResponseError) and any(word in str(reply) for word in changed) else reply
        for reply in replies
    )


def _whole(kind: str, replies: Iterator[Any]) -> TypedValue | None:
    reply = next(replies)
    tail = None
    if kind == "stream":
        told = (next(replies), next(replies))
        tail = None if None in told else _tail(*told)
        return TypedValue(kind, _items(kind, reply), tail) if reply is not None and tail else None
    if reply is None or (kind != "string" and not reply):
        return None
    return TypedValue(kind, _items(kind, reply))


def _items(kind: str, reply: Any) -> list[Item]:
    if kind == "string":
        return [reply]
    if kind == "hash":
        return pairs(reply)
    if kind == "zset":
        return [(member, float(score)) for member, score in pairs(reply)]
    if kind == "stream":
        return [(entry, *fields) for entry, fields in reply]
    return list(reply)


def _by_cursor(client: "redis.Redis", facts: KeyFacts, count: int) -> Iterator[list[Item]]:
    seen: set[bytes] = set()
    cursor: Any = b"0"
    while True:
        cursor, found = answered(ask(client, [(_CURSOR[facts.kind], facts.key, cursor, "COUNT", count)]))[0]
        # the server may give one twice while it resizes its table
        new = {item_identity(item): item for item in _items(facts.kind, found)}
        yield [item for name, item in new.items() if name not in seen]
        seen.update(new)
        if int(cursor) == 0:
            return


def _by_id(client: "redis.Redis", key: bytes, count: int) -> Iterator[list[Item]]:
    start = b"-"
    while page := answered(ask(client, [("XRANGE", key, start, "+", "COUNT", count)]))[0]:
        yield _items("stream", page)
        start = b"(" + page[-1][0]


def _by_place(client: "redis.Redis", facts: KeyFacts, length: int, step: int) -> Iterator[list[Item]]:
    name = {"string": "GETRANGE", "list": "LRANGE", "zset": "ZRANGE"}[facts.kind]
    extra = ("WITHSCORES",) if facts.kind == "zset" else ()
    for start in range(0, length, step):
        yield _items(facts.kind, answered(ask(client, [(name, facts.key, start, start + step - 1, *extra)]))[0])


def _tail_commands(key: bytes) -> list[Command]:
    return [("XINFO", "STREAM", key), ("XINFO", "GROUPS", key)]


def _tail(stream: Any, groups: Any) -> StreamTail:
    told = dict(pairs(stream))
    found = []
    for group in groups:
        facts = dict(pairs(group))
        found.append(
            Group(facts[b"name"], facts[b"last-delivered-id"], facts.get(b"entries-read"), int(facts[b"pending"]))
        )
    return StreamTail(
        told[b"last-generated-id"], int(told[b"entries-added"]), told[b"max-deleted-entry-id"], tuple(found)
    )
