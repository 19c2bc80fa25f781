"""Open every connection to Redis: the one given by URL, or the embedded Valkey; refuse a server that may lose data."""

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from trading_platform.errors import StoreUnavailable
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.store_errors import store_error

SOCKET_TIMEOUT_SECONDS = 5.0
"""Real time; a blocking read has to ask for less."""

_LEAST_VERSION = (7, 0)
_REPLY_SHAPES = {"protocol", "decode_responses", "encoding", "legacy_responses"}


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What a server is, and what is doubtful about it but does not stop us."""

    name: str
    version: str
    embedded: bool
    warnings: tuple[str, ...]


class RedisManager:
    """Connections to the platform's one server; replies are bytes, and no command is repeated behind our back."""

    def __init__(self, url: str | None, valkey_dir: Path, *, timeout_seconds: float = SOCKET_TIMEOUT_SECONDS) -> None:
        self._url = url
        self._embedded = None if url else EmbeddedValkey(valkey_dir)
        self._timeout = timeout_seconds
        self._guard = threading.Lock()
        self._client: redis.Redis | None = None
        self._report: StoreReport | None = None

    @property
    def address(self) -> str:
        """Return where the server is, without a password."""
        if self._embedded:
            return f"embedded Valkey in {self._embedded.folder}"
        return re.sub(r"//.*@", "//***@", str(self._url)).split("?")[0]

    @property
    def is_embedded(self) -> bool:
        """Tell whether this is the embedded server, which whoever needs it starts."""
        return self._embedded is not None

    @property
    def report(self) -> StoreReport | None:
        """Return what the checks of the last connection found, None before the first."""
        return self._report

    def connect(self) -> redis.Redis:
        """Return a client that threads may share, starting the embedded server when it does not run.

        A server that is new to us or came back is checked; raise StoreUnavailable naming what is wrong and what to do.
        """
        with self._guard:
            if self._client is None or not _answers(self._client):
                self._client = self._open()
                self._report = self._check(self._client)
            return self._client

    def attach(self) -> redis.Redis | None:
        """Return a client of the server as it is, which the caller closes; None when the embedded one does not run.

        Nothing is started, checked or refused.
        """
        if self._embedded is None:
            return self._from_url(str(self._url))
        path = self._embedded.socket_in_use()
        return None if path is None else redis.Redis(unix_socket_path=str(path), **self._options())

    def close(self) -> None:
        """Close the connections; the embedded server goes on."""
        with self._guard:
            if self._client is not None:
                self._client.close()
                self._client.connection_pool.disconnect()
            self._client = None

    def stop_server(self) -> None:
        """Close the connections and stop the embedded server; a server given by URL is left alone."""
        self.close()
        if self._embedded:
            self._embedded.stop()

    def _open(self) -> redis.Redis:
        if self._embedded is None:
            return self._from_url(str(self._url))
        handle = self._embedded.ensure_running()
        return redis.Redis(unix_socket_path=str(handle.socket_path), **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": False,
            "client_name": "trading-platform",
        }

    def _from_url(self, url: str) -> redis.Redis:
        refused = _REPLY_SHAPES & set(parse_qs(urlsplit(url).query))
        if refused:
            raise StoreUnavailable(
                f"remove {', '.join(sorted(refused))} from the URL of {self.address}: it changes replies"
            )
        try:
            client = redis.Redis.from_url(url, **self._options())
            client.connection_pool.make_connection()  # not connected yet, but refuses options that nothing knows
        except (ValueError, TypeError):  # their texts may hold a part of a password
            raise StoreUnavailable(
                f"{self.address} is no usable Redis URL: rediss://user:password@host:port/0, special characters in "
                "the password written like %2F, and only options that redis-py knows"
            ) from None
        return client

    def _check(self, client: redis.Redis) -> StoreReport:
        """Refuse a server that is too old or may drop keys; list what is doubtful."""
        try:
            server = client.info("server")
            memory = client.info("memory")
            persistence = client.info("persistence")
        except RedisError as error:
            raise store_error(f"{self.address} refuses (is it running, and is the password right?)", error) from error
        version = str(server.get("redis_version", "0"))
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < _LEAST_VERSION:
            raise StoreUnavailable(f"{self.address} has version {version}; this platform needs Redis 7.0 or newer")
        policy = str(memory.get("maxmemory_policy", "unknown"))
        if policy != "noeviction":
            raise StoreUnavailable(
                f"{self.address} has maxmemory-policy {policy}, which drops keys silently when memory is short; "
                "set it to noeviction"
            )
        warnings: list[str] = []
        if not persistence.get("aof_enabled"):
            warnings.append(
                f"{self.address} has appendonly off: what it holds is lost with it, and rebuilt from the journal"
            )
        name = str(server.get("server_name", "redis"))
        shown = str(server.get("valkey_version", version))
        return StoreReport(name, shown, self._embedded is not None, tuple(warnings))


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False
