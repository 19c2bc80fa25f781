"""Hand records to the engine: from the stream while it reaches back far enough, else from the journal."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import redis

from trading_platform.errors import JournalChanged, JournalDamaged, MissingBlob
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.resp import Line, packed
from trading_platform.storage.journal_reader import JournalReader
from trading_platform.storage.journal_segments import list_segments
from trading_platform.storage.store_errors import store_error
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import RecordBatch, empty_batch, scan_records

_FIRST_COUNT, _MOST = 256, 4096
_JOURNAL_PAUSE_SECONDS = 0.02
_QUIET_NS = NS_PER_SECOND
"""How long the stream may be silent before the journal is asked whether it went on without Redis."""


class JournalRecords:
    """Records of a journal alone, for replay; satisfies ports.RecordSource."""

    def __init__(self, root: Path, shard: str, session: date, *, tolerant: bool = False) -> None:
        self.reader = JournalReader(root, shard, session, tolerant=tolerant)

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        """Return records from `after + 1` on; empty when none came in `wait_seconds`."""
        limit = elapsed_ns() + int(wait_seconds * NS_PER_SECOND)
        while True:
            batch = self.reader.read(after, max_bytes)
            if len(batch) or elapsed_ns() >= limit:
                return batch
            pause(_JOURNAL_PAUSE_SECONDS)

    def blob(self, sha256: str) -> bytes:
        """Return the content that a control record names; raise MissingBlob."""
        return self.reader.blob(sha256)


class LiveRecords:
    """Records of a running session; satisfies ports.RecordSource.

    The stream is a window: when it does not go on where the reader stands (it begins later, lacks an entry, or holds
    a damaged one), the journal is read until it has no more. When the stream stays silent the journal is read too,
    since the recorder goes on without Redis. A journal that is replaced by another while we read raises JournalChanged.
    """

    def __init__(self, client: redis.Redis, root: Path, shard: str, session: date) -> None:
        self._client: Any = client
        self._line = Line(client)
        self._journal = JournalReader(root, shard, session)
        self._shard = shard
        self._key = redis_keys.frames(shard, session)
        self._count = _FIRST_COUNT
        self._in_journal = False  # the journal gave the last records and may have more
        self._quiet_from_ns: int | None = None  # the stream gave records before, and nothing since then
        self._exhausted: tuple[int, str, int] | None = None  # where the journal had no more, and its end then
        self._folder_mark: tuple[int, int] | None = None  # changes when the folder is another one or gets files
        self._identity: str | None = None

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        """Return records from `after + 1` on without a gap; empty when none came in `wait_seconds`."""
        batch = self._read(after, max_bytes, wait_seconds)
        self.identity()  # asked behind the read: a journal is made before the first of its records can be read
        return batch

    def identity(self) -> str | None:
        """Return what tells the journal from others of the session, None while it has no record.

        Raise JournalChanged when it is another one than before.
        """
        mark = _mark_of(self._journal.folder)
        if mark is None or (mark == self._folder_mark and self._identity):
            return self._identity
        found = self._journal.identity()
        if found and self._identity and found != self._identity:
            raise JournalChanged(f"{self._journal.folder} was replaced by another journal of the same session")
        self._folder_mark, self._identity = mark, found or self._identity
        return self._identity

    def _read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        if self._in_journal:
            batch = self._from_journal(after, max_bytes)
            if len(batch):
                return batch
        begun = elapsed_ns()
        batch, broken = self._from_stream(after, max_bytes, wait_seconds)
        if len(batch):
            self._quiet_from_ns = elapsed_ns()
            return batch
        # finding a place in the journal costs a scan, so a stream that is only quiet for a moment is waited for
        if broken or self._quiet_from_ns is None or elapsed_ns() - self._quiet_from_ns >= _QUIET_NS:
            batch = self._from_journal(after, max_bytes)
        if not len(batch):  # a stream that holds what does not follow answered at once
            pause(max(0.0, wait_seconds - (elapsed_ns() - begun) / NS_PER_SECOND))
        return batch

    def blob(self, sha256: str) -> bytes:
        """Return the content that a control record names, from the journal or its copy; raise MissingBlob."""
        try:
            return self._journal.blob(sha256)
        except MissingBlob:
            copy = self._copy(sha256)
            if copy is None or hashlib.sha256(copy).hexdigest() != sha256:
                raise
            return bytes(copy)

    def _from_journal(self, after: int, max_bytes: int) -> RecordBatch:
        """Read the journal, unless it had no more here and did not grow; where it is damaged the stream may help."""
        end = (after, *_end_of(self._journal.folder))
        if end == self._exhausted:
            return empty_batch()
        try:
            batch = self._journal.read(after, max_bytes)
        except JournalDamaged:
            batch, _ = self._from_stream(after, max_bytes, 0.0)
            if not len(batch):
                raise
            self._in_journal = False
            return batch
        self._in_journal = len(batch) > 0
        self._exhausted = None if self._in_journal else end
        return batch

    def _from_stream(self, after: int, max_bytes: int, wait_seconds: float) -> tuple[RecordBatch, bool]:
        """Return what the stream has next, and whether it holds something else than what follows."""
        entries = self._entries(after, wait_seconds)
        if not entries:
            return empty_batch(), False
        raw = b"".join([fields[1] for _, fields in entries])
        # the next read asks for about as many records as make a reply of the wanted size
        self._count = max(1, min(_MOST, int(max_bytes * len(entries) / max(1, len(raw)))))
        records = scan_records(raw).records
        follows = records.table["number"] == after + 1 + np.arange(len(records), dtype=np.uint64)
        run = len(records) if follows.all() else int(np.argmin(follows))
        return RecordBatch(records.buffer, records.table[:run]), run < len(entries)

    def _entries(self, after: int, wait_seconds: float) -> Any:
        """Return what the stream holds behind record `after`, as it was sent: entry IDs, and fields in one list."""
        block = ("BLOCK", max(1, int(wait_seconds * 1000))) if wait_seconds > 0 else ()
        request = packed("XREAD", "COUNT", self._count, *block, "STREAMS", self._key, f"{after}-0")
        try:
            answer = self._line.ask(request, 1)[0]
        except redis.RedisError as error:
            raise store_error("Redis did not answer XREAD", error) from error
        if isinstance(answer, redis.RedisError):
            raise store_error("Redis did not answer XREAD", answer) from answer
        if not answer:
            return []
        # one stream was asked for; which of both the server gives depends on the protocol that the client speaks
        return answer[self._key.encode()] if isinstance(answer, dict) else answer[0][1]

    def _copy(self, sha256: str) -> Any:
        try:
            return self._client.get(redis_keys.blob(self._shard, sha256))
        except redis.RedisError as error:
            raise store_error("Redis did not answer GET", error) from error


def _mark_of(folder: Path) -> tuple[int, int] | None:
    try:
        facts = folder.stat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_mtime_ns


def _end_of(folder: Path) -> tuple[str, int]:
    """Return the newest file of a journal and its size: they change when the journal grows."""
    segments = list_segments(folder)
    if not segments:
        return "", 0
    try:
        return segments[-1].path.name, segments[-1].path.stat().st_size
    except FileNotFoundError:  # packed since it was listed
        return "", -1
