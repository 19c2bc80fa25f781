"""The independent reader of the benches: it is told of each change of the engine's position, and notes when."""

import socket
from array import array
from collections.abc import Callable
from pathlib import Path

import hiredis
import numpy as np

from trading_platform.cli.bench_figures import Seen
from trading_platform.errors import StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

_BUFFER_BYTES = 1 << 16
_LIMIT_SECONDS = 5.0


class PositionWatch:
    """Follows one hash of a server; the server says when it changes (client tracking), so nothing is polled."""

    def __init__(self, socket_path: Path, key: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_LIMIT_SECONDS)
        self._reader = hiredis.Reader()
        self._look = _packed("HGET", key, "record")
        self._at_ns, self._records = array("q"), array("q")
        self._changed = self._asked = False
        try:
            self._socket.connect(str(socket_path))
            self._socket.sendall(_packed("HELLO", "3") + _packed("CLIENT", "TRACKING", "ON"))
            for _ in range(2):
                self._take(self._next(elapsed_ns() + int(_LIMIT_SECONDS * NS_PER_SECOND)))
        except OSError as error:
            raise StoreUnavailable(f"the server at {socket_path} cannot be watched: {error}") from error
        self._changed = True

    @property
    def record(self) -> int:
        """Return the position that is held, 0 before the first."""
        return self._records[-1] if self._records else 0

    def until(self, end_ns: int, done: Callable[[], bool] = lambda: False) -> None:
        """Follow until a moment of the monotonic clock, or until `done` after a change."""
        while not done():
            if self._changed and not self._asked:
                self._changed, self._asked = False, True
                self._socket.sendall(self._look)
            try:
                reply = self._next(end_ns)
            except TimeoutError:
                return
            if isinstance(reply, hiredis.PushNotification):
                self._changed = True
            else:
                self._take(reply)

    def seen(self) -> Seen:
        """Return what was held, and since when."""
        return Seen(np.array(self._at_ns, np.int64), np.array(self._records, np.int64))

    def close(self) -> None:
        """Stop to follow."""
        self._socket.close()

    def _take(self, reply: object) -> None:
        if isinstance(reply, Exception):
            raise StoreUnavailable(f"the server refuses to be watched: {reply}")
        if self._asked:
            self._asked = False
            if isinstance(reply, bytes):
                self._at_ns.append(elapsed_ns())
                self._records.append(int(reply))

    def _next(self, end_ns: int) -> object:
        """Return the next reply; raise TimeoutError when none came before `end_ns`."""
        while (reply := self._reader.gets()) is False:
            left = (end_ns - elapsed_ns()) / NS_PER_SECOND
            if left <= 0.0:
                raise TimeoutError
            self._socket.settimeout(left)
            received = self._socket.recv(_BUFFER_BYTES)
            if not received:
                raise StoreUnavailable("the server closed the connection that watches it")
            self._reader.feed(received)
        return reply


def _packed(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode()
