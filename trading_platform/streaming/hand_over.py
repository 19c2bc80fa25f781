"""Between the threads that read sockets and the one that records: a queue bounded in bytes that never makes them wait.

When it is full, payloads of all sockets are left out until half of it is free again, so that each socket misses one
run and not many; a LOST entry stands where they were.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from trading_platform.market.clock import elapsed_ns
from trading_platform.wire.journal_records import ControlType

ENTRY_BYTES = 200
"""What an entry takes beside its payload, about."""


class Arrival(IntEnum):
    """What an entry is."""

    FRAME = 0
    TEXT = 1
    CONNECTED = 2
    SUBSCRIBED = 3
    DISCONNECTED = 4
    LOST = 5
    ANNOUNCED = 6
    OVER = 7


class Entry(NamedTuple):
    """One thing that happened at a socket; `put_ns` is the machine's monotonic clock, for latencies."""

    arrival: Arrival
    socket: int
    at_ns: int
    body: bytes = b""
    put_ns: int = 0
    tokens: tuple[int, ...] = ()
    frames: int = 0  # LOST: how many payloads, `body_bytes` in all
    body_bytes: int = 0
    control: ControlType | None = None  # ANNOUNCED: which record, its content in `body`


@dataclass(slots=True)
class _Loss:
    first_ns: int
    last_ns: int
    frames: int = 0
    body_bytes: int = 0


class HandOver:
    """Entries in the order in which they were put; several threads put, one takes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = self.peak_bytes = 0
        self.lost_frames = self.lost_bytes = self.late = 0
        self._entries: deque[Entry] = deque()
        self._losses: dict[int, _Loss] = {}
        self._full = self._closed = False
        self._ready = threading.Condition(threading.Lock())

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest_ns(self) -> int | None:
        """Return when the oldest entry was put (monotonic), None when there is none."""
        try:
            return self._entries[0].put_ns
        except IndexError:
            return None

    def put_payload(self, arrival: Arrival, socket: int, at_ns: int, body: bytes) -> None:
        """Put what a socket gave, or count it as lost when there is no room."""
        with self._ready:
            if self._closed:
                self.late += 1
            elif self._has_room(len(body)):
                self._put_loss(socket, at_ns)
                self._put(Entry(arrival, socket, at_ns, body, elapsed_ns()))
            else:
                self._lose(socket, at_ns, len(body))

    def put(self, entry: Entry) -> None:
        """Put what is known beside payloads; there is always room for it, it is small and rare."""
        with self._ready:
            if self._closed:
                self.late += 1
                return
            self._put_loss(entry.socket, entry.at_ns)
            self._put(entry._replace(put_ns=elapsed_ns()))

    def take(self, most_bytes: int, wait_seconds: float) -> list[Entry]:
        """Return the oldest entries, about `most_bytes` of them at most; they still count as held until `release`."""
        with self._ready:
            if not self._entries and not self._closed:
                self._ready.wait(wait_seconds)
            taken: list[Entry] = []
            size = 0
            while self._entries and size < most_bytes:
                entry = self._entries.popleft()
                size += _size(entry)
                taken.append(entry)
            return taken

    def release(self, entries: Iterable[Entry]) -> None:
        """Give back the room of entries that were dealt with."""
        size = sum(map(_size, entries))
        with self._ready:
            self.held_bytes -= size

    def close(self) -> None:
        """Take nothing more; what was lost last is put, what is held can still be taken."""
        with self._ready:
            for socket, loss in list(self._losses.items()):
                self._put_loss(socket, loss.last_ns)
            self._closed = True
            self._ready.notify_all()

    @property
    def closed(self) -> bool:
        """Return whether nothing more can come."""
        return self._closed and not self._entries

    def _has_room(self, size: int) -> bool:
        if self._full and self.held_bytes <= self.most_bytes // 2:
            self._full = False
        if self.held_bytes + size + ENTRY_BYTES > self.most_bytes:
            self._full = True
        return not self._full

    def _put(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.held_bytes += _size(entry)
        self.peak_bytes = max(self.peak_bytes, self.held_bytes)
        self._ready.notify()

    def _lose(self, socket: int, at_ns: int, size: int) -> None:
        loss = self._losses.setdefault(socket, _Loss(at_ns, at_ns))
        loss.last_ns = at_ns
        loss.frames += 1
        loss.body_bytes += size
        self.lost_frames += 1
        self.lost_bytes += size

    def _put_loss(self, socket: int, until_ns: int) -> None:
        loss = self._losses.pop(socket, None)
        if loss is not None:
            until = max(until_ns, loss.last_ns)
            lost = Entry(Arrival.LOST, socket, until, frames=loss.frames, body_bytes=loss.body_bytes)
            self._put(lost._replace(put_ns=elapsed_ns()))


def _size(entry: Entry) -> int:
    return ENTRY_BYTES + len(entry.body) + 8 * len(entry.tokens)
