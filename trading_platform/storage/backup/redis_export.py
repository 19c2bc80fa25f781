"""The version-independent export of Redis: JSON lines that any version, and any other program, can read.

A key is one line with its name, type, absolute expiry and number of elements, then lines of at most 500 elements.
Names and values are base64. Sets, hashes and sorted sets are in byte order, so that equal content is equal lines.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from redis.exceptions import RedisError

from trading_platform.storage.store_errors import store_error

PAGE_ELEMENTS = 500

_SCAN_COUNT = 1000
_ATTEMPTS = 5
_NO_EXPIRY = -1


@dataclass(frozen=True, slots=True)
class ExportedKey:
    """One key: its lines, and a digest over them."""

    name: bytes
    kind: str
    expires_at_ms: int | None
    lines: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """Return the sha256 of the lines."""
        return hashlib.sha256(b"".join(self.lines)).hexdigest()


class RedisExport:
    """Reads every key of a database; `skipped` names keys of a type that has no version-independent form."""

    def __init__(self, client: redis.Redis) -> None:
        # no callbacks: they turn the fields of a stream's entry into a dict, which forgets repeated ones
        self._client: Any = redis.Redis(connection_pool=client.connection_pool)
        self._client.response_callbacks.clear()
        self.skipped: list[str] = []
        self.pending = 0
        """Entries of consumer groups that nobody acknowledged; they are not exported."""

    def keys(self) -> Iterator[ExportedKey]:
        """Yield each key, whole and at one moment; what is written meanwhile may be in it or not."""
        try:
            seen: set[bytes] = set()
            cursor = b"0"
            while True:
                cursor, names = self._ask("SCAN", cursor, "COUNT", _SCAN_COUNT)
                for name in sorted(set(names) - seen):
                    exported = self._key(name)
                    if exported is not None:
                        yield exported
                seen.update(names)
                if cursor == b"0":
                    return
        except RedisError as error:
            raise store_error("Redis could not be exported", error) from error

    def _key(self, name: bytes) -> ExportedKey | None:
        for _ in range(_ATTEMPTS):
            kind = self._ask("TYPE", name).decode("ascii")
            if kind == "none":
                return None
            if kind not in _READERS:
                self.skipped.append(f"{name.decode('utf-8', 'replace')} of type {kind}")
                return None
            reading, shape = _READERS[kind]
            same, expiry, *replies = self._at_once(
                ("TYPE", name), ("PEXPIRETIME", name), *(command(name) for command in reading)
            )
            if isinstance(same, bytes) and same.decode("ascii") == kind:
                _raise_first(replies)
                return self._written(name, kind, None if expiry == _NO_EXPIRY else expiry, shape(*replies))
        self.skipped.append(f"{name.decode('utf-8', 'replace')}, which changes its type all the time")
        return None

    def _written(self, name: bytes, kind: str, expiry: int | None, shaped: tuple[list[Any], Any]) -> ExportedKey:
        elements, about = shaped
        if about is not None and about["groups"]:
            about = {**about, "groups": self._groups(name)}
        head = {"key": text(name), "type": kind, "expires_at_ms": expiry, "elements": len(elements), "about": about}
        pages = (elements[at : at + PAGE_ELEMENTS] for at in range(0, len(elements), PAGE_ELEMENTS))
        lines = (_line(head), *(_line({"values": page}) for page in pages))
        return ExportedKey(name, kind, expiry, lines)

    def _groups(self, name: bytes) -> list[dict[str, Any]]:
        groups = [{key.decode(): value for key, value in group.items()} for group in self._ask("XINFO", "GROUPS", name)]
        self.pending += sum(group["pending"] for group in groups)
        return [
            {
                "name": text(group["name"]),
                "last_id": group["last-delivered-id"].decode("ascii"),
                "entries_read": group.get("entries-read"),
            }
            for group in groups
        ]

    def _at_once(self, *commands: tuple[Any, ...]) -> list[Any]:
        with self._client.pipeline(transaction=True) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(pipeline.execute(raise_on_error=False))

    def _ask(self, *command: Any) -> Any:
        return self._client.execute_command(*command)


def _raise_first(replies: list[Any]) -> None:
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply


def export_digest(digests: dict[bytes, str]) -> str:
    """Return one digest over those of all keys."""
    return hashlib.sha256(b"".join(name + digests[name].encode("ascii") for name in sorted(digests))).hexdigest()


def text(value: bytes) -> str:
    """Write bytes as text."""
    return b64encode(value).decode("ascii")


def _line(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS) + b"\n"


def _string(value: bytes) -> tuple[list[Any], Any]:
    return [text(value)], None


def _list(values: list[bytes]) -> tuple[list[Any], Any]:
    return [text(value) for value in values], None


def _set(values: Any) -> tuple[list[Any], Any]:
    return [text(value) for value in sorted(values)], None


def _hash(fields: dict[bytes, bytes]) -> tuple[list[Any], Any]:
    return [[text(name), text(fields[name])] for name in sorted(fields)], None


def _sorted_set(members: list[list[Any]]) -> tuple[list[Any], Any]:
    # the score as text: JSON has no infinity
    return [[text(member), repr(float(score))] for member, score in members], None


def _stream(entries: list[list[Any]], about: dict[bytes, Any]) -> tuple[list[Any], Any]:
    told = {
        "last_id": about[b"last-generated-id"].decode("ascii"),
        "max_deleted_id": about[b"max-deleted-entry-id"].decode("ascii"),
        "entries_added": about[b"entries-added"],
        "groups": about[b"groups"],
    }
    return [[entry.decode("ascii"), [text(part) for part in fields]] for entry, fields in entries], told


Command = Callable[[bytes], tuple[Any, ...]]
_READERS: dict[str, tuple[tuple[Command, ...], Callable[..., tuple[list[Any], Any]]]] = {
    "string": ((lambda name: ("GET", name),), _string),
    "list": ((lambda name: ("LRANGE", name, 0, -1),), _list),
    "set": ((lambda name: ("SMEMBERS", name),), _set),
    "hash": ((lambda name: ("HGETALL", name),), _hash),
    "zset": ((lambda name: ("ZRANGE", name, 0, -1, "WITHSCORES"),), _sorted_set),
    "stream": ((lambda name: ("XRANGE", name, "-", "+"), lambda name: ("XINFO", "STREAM", name)), _stream),
}
