"""A journal as a source of records for a replay: what is written is read, nothing is waited for."""

from datetime import date
from pathlib import Path

from trading_platform.storage.journal import JournalReader
from trading_platform.wire.journal_records import RecordBatch


class JournalSource:
    """The records of one shard and session that are in the journal now."""

    def __init__(self, root: Path, shard: str, session: date) -> None:
        self._reader = JournalReader(root, shard, session)

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        """Return records numbered from `after + 1` on; empty at the end of what is written, without waiting."""
        del wait_seconds
        return self._reader.read(after, max_bytes)

    def blob(self, sha256: str) -> bytes:
        """Return the content that a control record names; raise MissingBlob."""
        return self._reader.blob(sha256)

    def close(self) -> None:
        """Close the file that is being read."""
        self._reader.close()
