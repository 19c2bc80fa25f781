"""Accounts of what was sent on each socket, so that a test can compare it with what arrived."""

import hashlib
import struct
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

from trading_platform.wire.kite_packets import HEARTBEAT

_ENTRY = struct.Struct(">BQI")
BINARY, TEXT = 0, 1

_ASKED_KEPT = 100


class SentOnSocket:
    """Counts of one socket; its digests chain the length and bytes of binary messages in order, all and data alone."""

    def __init__(self, number: int, api_key: str, file: Path | None) -> None:
        self.number, self.api_key = number, api_key
        self.open = True
        self.frames = self.packets = self.heartbeats = self.texts = self.bytes = 0
        self.asked = 0
        self._asked_last: deque[str] = deque(maxlen=_ASKED_KEPT)
        self.lag_ns = 0
        """How long after it was due the last frame was sent, simulated."""
        self._digest, self._frames_digest = hashlib.sha256(), hashlib.sha256()
        self._path = file
        self._file: BinaryIO | None = None if file is None else file.open("wb")

    def binary(self, payload: bytes, at_ns: int) -> None:
        """Account for a frame or a heartbeat."""
        if payload == HEARTBEAT:
            self.heartbeats += 1
        else:
            self.frames += 1
            _chain(self._frames_digest, payload)
            self.packets += int.from_bytes(payload[:2], "big")
        self.bytes += len(payload)
        _chain(self._digest, payload)
        self._keep(BINARY, payload, at_ns)

    def text(self, message: bytes, at_ns: int) -> None:
        """Account for a text message."""
        self.texts += 1
        self._keep(TEXT, message, at_ns)

    def asks(self, message: str) -> None:
        """Account for a message of the client; the last of them are told."""
        self.asked += 1
        self._asked_last.append(message)

    def close(self) -> None:
        """Take note that the socket is gone."""
        self.open = False
        if self._file is not None:
            self._file.close()

    def published(self) -> dict[str, Any]:
        """Return the counts, after everything is in the file."""
        if self._file is not None and not self._file.closed:
            self._file.flush()
        return {
            "socket": self.number,
            "api_key": self.api_key,
            "open": self.open,
            "frames": self.frames,
            "packets": self.packets,
            "heartbeats": self.heartbeats,
            "texts": self.texts,
            "bytes": self.bytes,
            "asked": self.asked,
            "asked_last": list(self._asked_last),
            "lag_ms": self.lag_ns / 1e6,
            "sha256": self._digest.hexdigest(),
            "frames_sha256": self._frames_digest.hexdigest(),
            "file": None if self._path is None else str(self._path),
        }

    def _keep(self, kind: int, body: bytes, at_ns: int) -> None:
        if self._file is not None:
            self._file.write(_ENTRY.pack(kind, at_ns, len(body)) + body)


def _chain(digest: "hashlib._Hash", payload: bytes) -> None:
    digest.update(len(payload).to_bytes(4, "big"))
    digest.update(payload)


class SentLedger:
    """The accounts of all sockets that were ever open, in the order in which they came."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._sockets: list[SentOnSocket] = []

    def open(self, api_key: str) -> SentOnSocket:
        """Begin the account of a new socket."""
        number = len(self._sockets)
        file = None if self._folder is None else self._folder / f"socket-{number}.sent"
        self._sockets.append(SentOnSocket(number, api_key, file))
        return self._sockets[-1]

    def published(self) -> list[dict[str, Any]]:
        """Return the counts of every socket."""
        return [one.published() for one in self._sockets]


def read_sent(file: Path) -> list[tuple[int, int, bytes]]:
    """Return what a file of sent messages holds: kind, simulated time, body."""
    content = file.read_bytes()
    entries, at = [], 0
    while at + _ENTRY.size <= len(content):
        kind, at_ns, size = _ENTRY.unpack_from(content, at)
        at += _ENTRY.size
        entries.append((kind, at_ns, content[at : at + size]))
        at += size
    return entries
