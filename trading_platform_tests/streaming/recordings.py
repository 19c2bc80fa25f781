"""What the recorder's tests share: a recorder on a journal and a store, and the comparison of journal and stream."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import redis

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.streaming.frame_stream import FrameStream
from trading_platform.streaming.recorder import Recorder

SHARD = "t1"
SESSION = date(2026, 7, 1)


class Store:
    """A connector that can be told to refuse."""

    def __init__(self, connect: Callable[[], redis.Redis]) -> None:
        self._connect = connect
        self.error: Exception | None = None

    def connect(self) -> redis.Redis:
        if self.error:
            raise self.error
        return self._connect()


def open_journal(root: Path, **options: Any) -> JournalWriter:
    return JournalWriter.open(root, SHARD, SESSION, **options)


def recorder(journal: JournalWriter, root: Path, store: Any, **options: Any) -> Recorder:
    history = JournalReader(root, SHARD, SESSION)
    options = {"retry_seconds": 0.02, "sync_seconds": 0.01, **options}
    return Recorder(journal=journal, history=history, store=store, shard=SHARD, session=SESSION, **options)


def journal_records(root: Path, after: int = 0) -> list[tuple[int, bytes]]:
    reader = JournalReader(root, SHARD, SESSION)
    found: list[tuple[int, bytes]] = []
    while batch := reader.read(after, 1 << 20):
        numbers = batch.table["number"].tolist()
        found += [(number, batch.encoded(row)) for row, number in enumerate(numbers)]
        after = batch.last_number
    return found


def stream_records(client: redis.Redis) -> list[tuple[int, bytes]]:
    entries = FrameStream(client, SHARD, SESSION).entries(0, 2**62)
    return [(int(entry.split(b"-")[0]), fields[b"r"]) for entry, fields in entries]


def wait_until(condition: Callable[[], bool], limit_seconds: float = 20.0) -> None:
    begun = elapsed_ns()
    while not condition():
        assert elapsed_ns() - begun < limit_seconds * NS_PER_SECOND, "it did not happen"
        pause(0.005)
