"""A legacy server and the platform's, both real; the legacy one is read by a user that may not write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from trading_platform.market.clock import Clock
from trading_platform.migration.layouts import layout_named
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.migration.context import Migration
from trading_platform.storage.migration.servers import LegacyServer
from trading_platform_tests.migration.legacy_databases import dump_of

PASSWORD = "s3cret-of-the-source"  # noqa: S105
TARGET = "the platform's server"


class TwoServers:
    """Clients of both sides, and migrations between them."""

    def __init__(self, folder: Path, source: Path, target: Path) -> None:
        self.source_socket, self.target_socket = source, target
        self.source = redis.Redis(unix_socket_path=str(source))
        self.target = redis.Redis(unix_socket_path=str(target))
        self._databases: dict[int, redis.Redis] = {}
        self.url = f"unix://migrate@{source}"
        self.password_file = folder / "password"
        self.password_file.write_text(f"{PASSWORD}\n")
        rights = ("~*", "-@all", "+@read", "+@connection", "+info")
        self.source.execute_command("ACL", "SETUSER", "migrate", "on", f">{PASSWORD}", *rights)

    def flush(self) -> None:
        """Empty both."""
        self.source.flushall()
        self.target.flushall()

    def database(self, number: int) -> redis.Redis:
        """Return a client of one database of the source."""
        if number not in self._databases:
            self._databases[number] = redis.Redis(unix_socket_path=str(self.source_socket), db=number)
        return self._databases[number]

    def migration(self, folder: Path, layout: str = "L4", **replaced: Any) -> Migration:
        """Return a migration of the legacy server."""
        given = {
            "source": LegacyServer(self.url, self.password_file),
            "target": self.target,
            "target_address": TARGET,
            "layout": layout_named(layout),
            "folder": folder,
            "dump_of": dump_of,
            "clock": Clock.wall(),
        }
        return Migration(**{**given, **replaced})


@contextmanager
def two_servers(folder: Path) -> Iterator[TwoServers]:
    """Start both servers, and stop them."""
    servers = [EmbeddedValkey(folder / name) for name in ("source", "target")]
    try:
        yield TwoServers(folder, *(server.ensure_running().socket_path for server in servers))
    finally:
        for server in servers:
            server.stop()


def value_of(client: redis.Redis, key: bytes | str) -> Any:
    """Read a key with the client's own commands: a second opinion to the code under test."""
    return snapshot(client, [key.encode() if isinstance(key, str) else key]).popitem()[1][0]


def snapshot(client: redis.Redis, some: list[bytes] | None = None) -> dict[bytes, Any]:
    """Read all keys of a database, or some, with their values and the moments at which they expire."""
    keys = list(client.scan_iter(count=1000)) if some is None else some
    asking: Any = client.pipeline(transaction=False)
    for key in keys:
        asking.type(key)
    kinds = [kind.decode() for kind in asking.execute()]
    for key, kind in zip(keys, kinds, strict=True):
        for read in _READ[kind]:
            read(asking, key)
        asking.pexpiretime(key)
    replies = iter(asking.execute())
    found = {}
    for key, kind in zip(keys, kinds, strict=True):
        told = [next(replies) for _ in _READ[kind]]
        found[key] = ((kind, *(_essence(one) for one in told)), next(replies))
    return found


_READ: dict[str, list[Callable[[Any, bytes], Any]]] = {
    "string": [lambda asking, key: asking.get(key)],
    "hash": [lambda asking, key: asking.hgetall(key)],
    "list": [lambda asking, key: asking.lrange(key, 0, -1)],
    "set": [lambda asking, key: asking.smembers(key)],
    "zset": [lambda asking, key: asking.zrange(key, 0, -1, withscores=True)],
    "stream": [
        lambda asking, key: asking.xrange(key),
        lambda asking, key: asking.xinfo_stream(key),
        lambda asking, key: asking.xinfo_groups(key),
    ],
}
_OF_A_STREAM = ("length", "last-generated-id", "entries-added")


def _essence(reply: Any) -> Any:
    """Leave out what a stream tells of how it is stored, and what readers had not acknowledged."""
    if isinstance(reply, dict) and "radix-tree-keys" in reply:
        return {name: reply[name] for name in _OF_A_STREAM}
    if isinstance(reply, list) and reply and isinstance(reply[0], dict) and "last-delivered-id" in reply[0]:
        return {group["name"]: group["last-delivered-id"] for group in reply}
    return set(reply) if isinstance(reply, set) else reply
