"""Read the version-independent export, and write it into an empty database."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from redis.exceptions import RedisError

from trading_platform.errors import BackupDamaged
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.storage.backup.redis_export import ExportedKey, RedisExport
from trading_platform.storage.store_errors import store_error

_NS_PER_MS = NS_PER_SECOND // 1000
_NO_ENTRY = "0-0"


@dataclass(frozen=True, slots=True)
class Imported:
    """Keys of the export that are written now and come back the same, those that expired since, those that differ."""

    same: int
    expired: int
    different: tuple[str, ...]


def exported_keys(chunks: Iterable[bytes]) -> Iterator[ExportedKey]:
    """Take an export apart into keys; raise BackupDamaged for lines that are none of ours."""
    lines = _lines(chunks)
    try:
        for line in lines:
            head = orjson.loads(line)
            pages = [line]
            left = int(head["elements"])
            while left > 0:
                page = next(lines)
                left -= max(1, len(orjson.loads(page)["values"]))
                pages.append(page)
            yield ExportedKey(b64decode(head["key"], validate=True), head["type"], head["expires_at_ms"], tuple(pages))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, Base64Error, StopIteration) as error:
        raise BackupDamaged(f"the export of Redis holds a line that is none of ours ({type(error).__name__})") from None


def import_keys(client: redis.Redis, keys: Iterable[ExportedKey], now_ns: int) -> Imported:
    """Write keys into an empty database and read everything back; keys whose time is over are left out."""
    expected: dict[bytes, tuple[str, int | None]] = {}
    expired = 0
    try:
        if client.dbsize():
            raise BackupDamaged("the database that is to be filled holds keys already; restore into an empty one")
        for key in keys:
            if key.expires_at_ms is not None and key.expires_at_ms * _NS_PER_MS <= now_ns:
                expired += 1
                continue
            _write(client, key)
            expected[key.name] = key.digest, key.expires_at_ms
    except RedisError as error:
        raise store_error("the export could not be written into Redis", error) from error
    return _compared(client, expected, expired)


def _compared(client: redis.Redis, expected: dict[bytes, tuple[str, int | None]], expired: int) -> Imported:
    found = {key.name: key.digest for key in RedisExport(client).keys()}  # noqa: SIM118  # a generator, not a dict
    now_ms = _server_ms(client)
    different = [name for name in found if name not in expected]
    same = 0
    for name, (digest, expires_at_ms) in expected.items():
        if found.get(name) == digest:
            same += 1
        elif name not in found and expires_at_ms is not None and expires_at_ms <= now_ms:
            expired += 1
        else:
            different.append(name)
    return Imported(same, expired, tuple(name.decode("utf-8", "replace") for name in different))


def _server_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def _write(client: Any, key: ExportedKey) -> None:
    head = orjson.loads(key.lines[0])
    for line in key.lines[1:]:
        with client.pipeline(transaction=False) as pipeline:
            for command in _commands(key, orjson.loads(line)["values"]):
                pipeline.execute_command(*command)
            pipeline.execute()
    if key.kind == "stream":
        _finish_stream(client, key.name, head["about"])
    if key.expires_at_ms is not None:
        client.execute_command("PEXPIREAT", key.name, key.expires_at_ms)


def _commands(key: ExportedKey, values: list[Any]) -> Iterator[tuple[Any, ...]]:
    try:
        if key.kind == "string":
            yield ("SET", key.name, _bytes(values[0]))
        elif key.kind == "list":
            yield ("RPUSH", key.name, *map(_bytes, values))
        elif key.kind == "set":
            yield ("SADD", key.name, *map(_bytes, values))
        elif key.kind == "hash":
            yield ("HSET", key.name, *(_bytes(part) for pair in values for part in pair))
        elif key.kind == "zset":
            yield ("ZADD", key.name, *(part for member, score in values for part in (score, _bytes(member))))
        elif key.kind == "stream":
            yield from (("XADD", key.name, entry, *map(_bytes, fields)) for entry, fields in values)
        else:
            raise BackupDamaged(f"the export of Redis names type {key.kind!r}, which is not known here")
    except (TypeError, ValueError, Base64Error) as error:
        raise BackupDamaged(f"the export of Redis holds a value that is none of ours ({error})") from None


def _finish_stream(client: Any, name: bytes, about: dict[str, Any]) -> None:
    """Set what a stream remembers beside its entries; one without entries is made through a group."""
    client.execute_command("XGROUP", "CREATE", name, "restoring", "0", "MKSTREAM")
    client.execute_command("XGROUP", "DESTROY", name, "restoring")
    added, deleted = about["entries_added"], about["max_deleted_id"]
    if about["last_id"] != _NO_ENTRY:
        client.execute_command("XSETID", name, about["last_id"], "ENTRIESADDED", added, "MAXDELETEDID", deleted)
    for group in about["groups"] or ():
        read = () if group["entries_read"] is None else ("ENTRIESREAD", group["entries_read"])
        client.execute_command("XGROUP", "CREATE", name, _bytes(group["name"]), group["last_id"], *read)


def _bytes(value: str) -> bytes:
    return b64decode(value, validate=True)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for following in others:
            yield b"".join(rest) + b"\n"
            rest = [following]
    if any(rest):
        raise BackupDamaged("the export of Redis ends within a line")
