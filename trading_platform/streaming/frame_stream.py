"""The stream of a session's records in Redis: a gapless window of the journal, bounded in bytes, entry ID = number."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import redis
from redis.exceptions import ResponseError

from trading_platform.resp import Line, packed
from trading_platform.wire import redis_keys

FIELD = b"r"
"""The one field of an entry; it holds the record as it is written in the journal."""

_Entry = tuple[bytes, dict[bytes, bytes]]

_PAGE_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class StreamExtent:
    """Which numbers a stream holds, and the newest that it ever held."""

    first: int
    last: int
    newest_ever: int


class FrameStream:
    """Write and read the frames of one shard and session. Errors of redis-py pass through."""

    def __init__(
        self, client: redis.Redis, shard: str, session: date, *, window_bytes: int = redis_keys.FRAMES_WINDOW_BYTES
    ) -> None:
        self.client = client
        self._shard = shard
        self._key = redis_keys.frames(shard, session)
        self._window_bytes = window_bytes
        self._line = Line(client)
        self._window: deque[tuple[int, int]] = deque()  # (number, bytes) of entries, oldest first
        self._held_bytes = 0

    def append(self, records: list[tuple[int, bytes]]) -> None:
        """Add records, trim the window and renew its lifetime, in one transaction: no reader sees a part of it."""
        commands = [packed("XADD", self._key, f"{number}-0", FIELD, record) for number, record in records]
        self.remember([(number, len(record)) for number, record in records])
        commands.append(packed("XTRIM", self._key, "MINID", "~", f"{self._window[0][0]}-0"))
        commands.append(packed("EXPIRE", self._key, redis_keys.SESSION_SECONDS))
        self._line.transact(commands)

    def remember(self, entries: Iterable[tuple[int, int]]) -> None:
        """Count (number, bytes) of entries as held, and forget the oldest beyond the window."""
        for entry in entries:
            self._window.append(entry)
            self._held_bytes += entry[1]
        while self._held_bytes > self._window_bytes and len(self._window) > 1:
            self._held_bytes -= self._window.popleft()[1]

    def extent(self) -> StreamExtent | None:
        """Return what the stream holds, None when there is no such stream; an emptied one has first 0."""
        try:
            facts: dict[str, Any] = self.client.xinfo_stream(self._key)
        except ResponseError as error:
            if "no such key" in str(error):
                return None
            raise
        first = facts["first-entry"][0] if facts["first-entry"] else b"0-0"
        last = facts["last-entry"][0] if facts["last-entry"] else b"0-0"
        return StreamExtent(_number(first), _number(last), _number(facts["last-generated-id"]))

    def entries(self, first: int, last: int) -> Iterator[_Entry]:
        """Yield entry IDs and fields from number `first` to `last`."""
        begin = f"{first}-0"
        while page := self._page(begin, f"{last}-{2**63}"):
            yield from page
            begin = "(" + page[-1][0].decode()

    def forget(self) -> None:
        """Count nothing as held: the entries are about to be counted again."""
        self._window.clear()
        self._held_bytes = 0

    def delete(self) -> None:
        """Remove the stream, so that it can be filled again."""
        self.client.delete(self._key)
        self.forget()

    def _page(self, begin: str, end: str) -> list[_Entry]:
        # the client's replies are bytes, as the manager has set it up
        return cast("list[_Entry]", self.client.xrange(self._key, min=begin, max=end, count=_PAGE_ENTRIES))

    def put_blob(self, sha256: str, content: bytes) -> None:
        """Keep a copy of a content for a session's lifetime; one that is kept for longer stays so."""
        key = redis_keys.blob(self._shard, sha256)
        if not self.client.set(key, content, ex=redis_keys.SESSION_SECONDS, nx=True):
            # a key that never expires counts as the longest lifetime
            self.client.expire(key, redis_keys.SESSION_SECONDS, gt=True)

    def has_blob(self, sha256: str) -> bool:
        """Return whether content is there."""
        return bool(self.client.exists(redis_keys.blob(self._shard, sha256)))


def _number(entry_id: bytes | str) -> int:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    return int(text.split("-")[0])
