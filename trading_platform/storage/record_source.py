"""Hand records to the engine: from the stream while it reaches back far enough, else from the journal."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import redis

from trading_platform.errors import MissingBlob, StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage.journal_reader import JournalReader
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import RecordBatch, empty_batch, scan_records

_FIRST_COUNT, _MOST = 256, 4096
_JOURNAL_PAUSE_SECONDS = 0.02


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

    The stream is a window: when it begins after the record that is asked for, the journal is read until it has caught
    up with the window. When the stream gives nothing the journal is asked too, since the recorder goes on without
    Redis.
    """

    def __init__(self, client: redis.Redis, root: Path, shard: str, session: date) -> None:
        self._client: Any = client
        self._journal = JournalReader(root, shard, session)
        self._shard = shard
        self._key = redis_keys.frames(shard, session)
        self._window_from = 0  # the stream was last seen to begin with this record
        self._count = _FIRST_COUNT

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        """Return records from `after + 1` on without a gap; empty when none came in `wait_seconds`."""
        if after + 1 < self._window_from:
            batch = self._journal.read(after, max_bytes)
            if len(batch):
                return batch
        batch = self._from_stream(after, max_bytes, wait_seconds)
        return batch if len(batch) else self._journal.read(after, max_bytes)

    def blob(self, sha256: str) -> bytes:
        """Return the content that a control record names, from the journal or its copy; raise MissingBlob."""
        try:
            return self._journal.blob(sha256)
        except MissingBlob:
            copy = self._ask("GET", redis_keys.blob(self._shard, sha256))
            if copy is None or hashlib.sha256(copy).hexdigest() != sha256:
                raise
            return bytes(copy)

    def _from_stream(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        block = ("BLOCK", max(1, int(wait_seconds * 1000))) if wait_seconds > 0 else ()
        found = self._ask("XREAD", "COUNT", self._count, *block, "STREAMS", self._key, f"{after}-0")
        if not found:
            return empty_batch()
        entries = found[self._key.encode()] if isinstance(found, dict) else found[0][1]
        first = int(entries[0][0].split(b"-")[0])
        if first != after + 1:
            self._window_from = first
            return empty_batch()
        raw = b"".join(fields[b"r"] if isinstance(fields, dict) else fields[1] for _, fields in entries)
        # the next read asks for about as many records as make a reply of the wanted size
        self._count = max(1, min(_MOST, int(max_bytes * len(entries) / max(1, len(raw)))))
        return scan_records(raw).records

    def _ask(self, *command: Any) -> Any:
        try:
            return self._client.execute_command(*command)
        except redis.RedisError as error:
            raise StoreUnavailable(f"Redis did not answer {command[0]}: {error}") from error
