"""The value of a key by its type, and a digest of it that is the same on every server.

Items are: the bytes of a string in any pieces; (field, value) of a hash; elements of a list in order; members of a set;
(member, score) of a sorted set; (ID, field, value, field, value, ...) of a stream in order.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ORDERED = ("string", "list", "stream")
_SPACE = 1 << 256
_SCORE = struct.Struct(">d")

Item = Any
"""Bytes, or a tuple of them; of a sorted set with a float."""


@dataclass(frozen=True, slots=True)
class Group:
    """Where the readers of a stream stood; `entries_read` is None when the server does not know."""

    name: bytes
    last_delivered: bytes
    entries_read: int | None
    pending: int


@dataclass(frozen=True, slots=True)
class StreamTail:
    """What a stream knows beside its entries."""

    last_id: bytes
    entries_added: int
    max_deleted: bytes
    groups: tuple[Group, ...] = ()

    @property
    def pending(self) -> int:
        """Return how many entries readers took and never acknowledged."""
        return sum(group.pending for group in self.groups)


@dataclass(frozen=True, slots=True)
class TypedValue:
    """A whole value in memory."""

    kind: str
    items: list[Item]
    tail: StreamTail | None = None

    def digest(self) -> str:
        """Return the digest of the value."""
        digest = ValueDigest(self.kind)
        digest.add(self.items)
        return digest.finish(self.tail)


class ValueDigest:
    """The digest of a value that is read in pieces; what has no order may come in any."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._hash = hashlib.blake2b(digest_size=32)
        self._sum = 0
        self._count = 0

    def add(self, items: Iterable[Item]) -> None:
        """Fold items in; a set, hash or sorted set must not bring one twice."""
        if self._kind == "string":
            for piece in items:
                self._hash.update(piece)
        elif self._kind in ORDERED:
            for item in items:
                self._hash.update(_encoded(item))
                self._count += 1
        else:
            total = self._sum
            for item in items:
                total += int.from_bytes(hashlib.blake2b(_encoded(item), digest_size=32).digest())
                self._count += 1
            self._sum = total % _SPACE

    def finish(self, tail: StreamTail | None = None) -> str:
        """Return the digest of all that was added; of a stream also where it and its readers stand."""
        self._hash.update(f"{self._kind}|{self._count}|".encode())
        self._hash.update(self._sum.to_bytes(32))
        if tail is not None:
            self._hash.update(_encoded((tail.last_id,)))
            for group in sorted(tail.groups, key=lambda one: one.name):
                self._hash.update(_encoded((group.name, group.last_delivered)))
        return self._hash.hexdigest()[:32]


def item_identity(item: Item) -> bytes:
    """Return what names an item within its value: the field of a hash, the member of a set."""
    return bytes(item[0]) if isinstance(item, tuple) else bytes(item)


def _encoded(item: Item) -> bytes:
    """Return bytes that no other item has: each part behind its length."""
    if isinstance(item, bytes):
        return b"%d:%b" % (len(item), item)
    raw = [_SCORE.pack(part) if isinstance(part, float) else part for part in item]
    return b"%d:%b" % (len(raw), b"".join([b"%d:%b" % (len(part), part) for part in raw]))
