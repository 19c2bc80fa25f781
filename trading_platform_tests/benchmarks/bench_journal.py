"""Print how fast records are written, read and packed: `python -m trading_platform_tests.benchmarks.bench_journal`."""

import os
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import RecordKind, encode_record, scan_records

RECORDS = 200_000
BODY = os.urandom(150) * 2  # half of it compresses, about as frames do
BATCH = 200
SESSION = date(2026, 7, 1)


def timed(name: str, work: Callable[[], int], size: int) -> None:
    """Run `work` and print its rate; it returns how many records it handled."""
    begun = elapsed_ns()
    records = work()
    seconds = (elapsed_ns() - begun) / NS_PER_SECOND
    sys.stdout.write(f"{name:34} {records / seconds:12,.0f} records/s {size / seconds / 1e6:8,.0f} MB/s\n")


def append(root: Path, *, compress: bool) -> int:
    """Write the journal in batches."""
    with JournalWriter.open(root, "bench", SESSION) as writer:
        for number in range(RECORDS):
            writer.append(RecordKind.FRAME, BODY, number)
            if number % BATCH == 0:
                writer.flush()
        writer.close(compress=compress)
    return RECORDS


def read(root: Path) -> int:
    """Read the journal from its first record."""
    reader = JournalReader(root, "bench", SESSION)
    after = 0
    while batch := reader.read(after, 1 << 20):
        after = batch.last_number
    return after


def record(root: Path) -> int:
    """Record into journal and stream."""
    store = RedisManager(None, root / "valkey")
    history = JournalReader(root, "bench", SESSION)
    with (
        JournalWriter.open(root, "bench", SESSION) as journal,
        Recorder(journal=journal, history=history, store=store, shard="bench", session=SESSION) as recorder,
    ):
        for number in range(RECORDS // 4):
            recorder.frame(BODY, number)
            if number % BATCH == 0:
                recorder.flush()
    store.stop_server()
    return RECORDS // 4


def main() -> None:
    """Run all of it."""
    size = RECORDS * (len(BODY) + 32)
    raw = b"".join(encode_record(number, number, RecordKind.FRAME, BODY) for number in range(1, RECORDS + 1))
    scan_records(raw[:1000])
    timed("scan in memory", lambda: len(scan_records(raw).records), size)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        timed("append, raw", lambda: append(root / "raw", compress=False), size)
        timed("read, first segment packed", lambda: read(root / "raw"), size)
        timed("append, all packed", lambda: append(root / "packed", compress=True), size)
        timed("read, all packed", lambda: read(root / "packed"), size)
        timed("recorder, journal and stream", lambda: record(root / "live"), size // 4)


if __name__ == "__main__":
    main()
