"""The legacy server, which is only read, and the proof that it is not the platform's own database."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from trading_platform.errors import MigrationRefused
from trading_platform.storage.store_errors import store_error

TIMEOUT_SECONDS = 60.0

_LEAST_VERSION = (7, 0)

RIGHTS = "ACL SETUSER migrate on >PASSWORD ~* -@all +@read +@connection +info"
"""A user that can read everything and write nothing."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Which server it is; replicas share `replication_id` with what they follow."""

    run_id: str
    replication_id: str
    version: str
    keys: dict[int, int]
    """How many keys each database has."""
    field_lifetimes: frozenset[int]
    """Databases in which fields of hashes have lifetimes of their own."""


class LegacyServer:
    """Connections to the databases of the legacy server; nothing here writes."""

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        self._url = url
        self._password = _read_password(password_file) if password_file else None
        self._clients: dict[int, redis.Redis] = {}
        if self._pool(0).connection_kwargs.get("db"):
            raise MigrationRefused(
                f"{self.address}: leave the database out of the URL; the layout says which ones are read"
            )

    @property
    def address(self) -> str:
        """Return where the server is, without a password."""
        return re.sub(r"//.*@", "//***@", self._url).split("?")[0]

    def client(self, database: int) -> "redis.Redis":
        """Return a client of one database."""
        if database not in self._clients:
            pool = self._pool(database)
            pool.connection_kwargs["db"] = database
            self._clients[database] = redis.Redis(connection_pool=pool)
        return self._clients[database]

    def identity(self) -> ServerIdentity:
        """Ask which server it is; raise StoreUnavailable, or MigrationRefused for one that is too old."""
        found = identity(self.client(0), f"{self.address} ({RIGHTS} is enough)")
        if tuple(int(part) for part in re.findall(r"\d+", found.version)[:2]) < _LEAST_VERSION:
            raise MigrationRefused(
                f"{self.address} has version {found.version}: restore its data into a Redis 7.0 or newer and read that"
            )
        return found

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.connection_pool.disconnect()
        self._clients.clear()

    def _pool(self, database: int) -> "redis.ConnectionPool":
        options: dict[str, Any] = {
            "socket_timeout": TIMEOUT_SECONDS,
            "socket_connect_timeout": TIMEOUT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "client_name": f"trading-platform-migrate-{database}",
        }
        if self._password is not None:
            options["password"] = self._password
        try:
            pool = redis.ConnectionPool.from_url(self._url, **options)
            pool.make_connection()  # not connected yet, but refuses options that nothing knows
        except (ValueError, TypeError):  # their texts may hold a part of a password
            raise MigrationRefused(
                f"{self.address} is no usable Redis URL: redis://user@host:port or unix:///path/to/socket"
            ) from None
        return pool


def identity(client: "redis.Redis", name: str) -> ServerIdentity:
    """Ask a server who it is; raise StoreUnavailable."""
    try:
        server = client.info("server")
        replication = client.info("replication")
        keyspace = client.info("keyspace")
    except RedisError as error:
        raise store_error(f"{name} refuses", error) from error
    return ServerIdentity(
        run_id=str(server.get("run_id", "")),
        replication_id=str(replication.get("master_replid", "")),
        version=str(server.get("redis_version", "0")),
        keys={int(name[2:]): int(facts["keys"]) for name, facts in keyspace.items()},
        field_lifetimes=frozenset(
            int(name[2:])
            for name, facts in keyspace.items()
            # the first is Redis's name of it, the second Valkey's
            if facts.get("subexpiry") or facts.get("keys_with_volatile_items")
        ),
    )


def database_of(client: "redis.Redis") -> int:
    """Return the number of the database that a client talks to."""
    return int(client.connection_pool.connection_kwargs.get("db") or 0)


def is_same_data(one: ServerIdentity, other: ServerIdentity) -> bool:
    """Tell whether what is written to one server appears in the other; raise MigrationRefused if that is unknown."""
    if not (one.run_id and other.run_id):
        raise MigrationRefused("a server does not say its run_id, so source and target cannot be told apart")
    same_set = bool(one.replication_id) and one.replication_id == other.replication_id
    return one.run_id == other.run_id or same_set


def _read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise MigrationRefused(f"{path} holds no password that can be read: one line of text") from None
