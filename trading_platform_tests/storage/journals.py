"""What the journal tests share: a session, small journals, and reading all of one."""

from datetime import date
from pathlib import Path

from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.journal_blocks import unpack_segment
from trading_platform.wire.journal_records import RecordKind

SHARD = "t1"
SESSION = date(2026, 7, 1)


def open_writer(root: Path, *, segment_bytes: int = 1 << 20) -> JournalWriter:
    return JournalWriter.open(root, SHARD, SESSION, segment_bytes=segment_bytes)


def open_reader(root: Path, *, tolerant: bool = False) -> JournalReader:
    return JournalReader(root, SHARD, SESSION, tolerant=tolerant)


def write(
    root: Path, bodies: list[bytes], *, segment_bytes: int = 1 << 20, compress: bool = False, flush_each: bool = True
) -> list[bytes]:
    """Append bodies to the journal and return the records as they are written down; raw unless `compress`."""
    with open_writer(root, segment_bytes=segment_bytes) as writer:
        records = []
        for body in bodies:
            records.append(writer.append(RecordKind.FRAME, body, 1000 + writer.last_number))
            if flush_each:
                writer.flush()
        writer.close(compress=compress)
    if not compress:
        unpack_all(writer.folder)
    return records


def unpack_all(folder: Path) -> None:
    """Make packed segments raw again, as if the crash had come before they were packed."""
    for packed in folder.glob("*.zst"):
        raw = unpack_segment(packed.read_bytes())
        assert raw is not None
        packed.with_suffix("").write_bytes(raw)
        packed.unlink()


def read_all(reader: JournalReader, after: int = 0, max_bytes: int = 1 << 20) -> list[bytes]:
    """Return all records from `after + 1` on."""
    records: list[bytes] = []
    while batch := reader.read(after, max_bytes):
        records += [batch.encoded(row) for row in range(len(batch))]
        after = batch.last_number
    return records
