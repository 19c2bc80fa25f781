"""Take a server's own snapshot of one moment, as a replica gets it: from any server, without a look at its disk."""

import socket
from collections.abc import Iterator
from typing import Any

import redis
from redis.exceptions import RedisError

from trading_platform.errors import StoreUnavailable

QUIET_LIMIT_SECONDS = 60.0
"""A server that is making its snapshot sends a line break each second."""

_CHUNK_BYTES = 1024 * 1024
_LONGEST_ANSWER = 4096


def snapshot(client: redis.Redis) -> Iterator[bytes]:
    """Yield the snapshot in pieces; raise StoreUnavailable when the server refuses or ends it."""
    connection: Any = client.connection_pool.make_connection()
    try:
        connection.connect()
        connection.send_command("SYNC")
        stream: socket.socket = connection._sock
        stream.settimeout(QUIET_LIMIT_SECONDS)
        yield from _pieces(stream, _size(_answer(stream)))
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"the server gave no snapshot: {error}") from error
    finally:
        connection.disconnect()


def _answer(stream: socket.socket) -> bytes:
    """Read the first line; line breaks before it say that the snapshot is being made."""
    line = b""
    while not line.endswith(b"\n"):
        part = stream.recv(1)
        if not part or len(line) > _LONGEST_ANSWER:
            raise StoreUnavailable("the server gave no snapshot: it ended the connection")
        line = (line + part).lstrip(b"\n")
    return line.strip()


def _size(answer: bytes) -> int:
    if not answer.startswith(b"$") or not answer[1:].isdigit():
        raise StoreUnavailable(f"the server gave no snapshot: it answered {answer[:200].decode('ascii', 'replace')}")
    return int(answer[1:])


def _pieces(stream: socket.socket, size: int) -> Iterator[bytes]:
    left = size
    while left:
        part = stream.recv(min(left, _CHUNK_BYTES))
        if not part:
            raise StoreUnavailable(f"the server ended its snapshot {left} bytes before its end; is its disk full?")
        left -= len(part)
        yield part
