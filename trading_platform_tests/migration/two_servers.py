"""A legacy server and the platform's, both real; the legacy one is read by a user that may not write."""

from collections.abc import Iterator
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
    kind = client.type(key).decode()
    if kind == "stream":
        about = client.xinfo_stream(key)
        groups = {one["name"]: one["last-delivered-id"] for one in client.xinfo_groups(key)}
        return kind, client.xrange(key), about["last-generated-id"], about["entries-added"], groups
    read = {
        "string": lambda: client.get(key),
        "hash": lambda: client.hgetall(key),
        "list": lambda: client.lrange(key, 0, -1),
        "set": lambda: set(client.smembers(key)),
        "zset": lambda: client.zrange(key, 0, -1, withscores=True),
    }
    return kind, read[kind]()


def snapshot(client: redis.Redis) -> dict[bytes, Any]:
    """Read all keys of a database with their values and the moments at which they expire."""
    return {key: (value_of(client, key), client.pexpiretime(key)) for key in client.scan_iter(count=1000)}
