"""The journals in a backup: readable in place, packed, up to the last whole record, also while they are written."""

import hashlib
from datetime import date
from pathlib import Path

from trading_platform.errors import JournalDamaged
from trading_platform.storage.backup.layout import BackupWriter
from trading_platform.storage.backup.manifest import JournalSummary
from trading_platform.storage.journal import JournalReader, journal_folder, journal_sessions, verify_journal
from trading_platform.storage.journal_blocks import pack_segment
from trading_platform.storage.journal_segments import SEGMENT_HEADER_BYTES, Segment, list_segments, write_durably
from trading_platform.wire.journal_records import HEADER_BYTES, ScanStop, scan_records

PART = "journal"
_READ_BYTES = 4 * 1024 * 1024
_NOT_COPIED = {"lock"}


def store_journals(root: Path, writer: BackupWriter, faults: list[str]) -> tuple[JournalSummary, ...]:
    """Copy the journals of all shards; damage is copied as it is and named in `faults`."""
    found: list[JournalSummary] = []
    for shard in sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else ():
        for session in journal_sessions(root, shard):
            _store_journal(root, shard, session, writer)
            summary = summarise(writer.folder / PART, shard, session)
            faults += [f"journal {shard}/{session}, copied as it is: {fault}" for fault in summary.faults]
            found.append(summary)
    return tuple(found)


def summarise(root: Path, shard: str, session: date) -> JournalSummary:
    """Read a whole journal: count, check, and digest its records."""
    report = verify_journal(root, shard, session)
    torn = [f"the last {report.torn_tail} bytes are no whole record"] if report.torn_tail else []
    faults = [*(str(damage) for damage in report.damages), *report.bad_content, *report.disorder, *torn]
    return JournalSummary(
        shard=shard,
        session=session.isoformat(),
        records=report.records,
        first=report.first_number,
        last=report.last_number,
        digest=_digest(root, shard, session),
        faults=tuple(faults),
    )


def _digest(root: Path, shard: str, session: date) -> str:
    """Return the sha256 of all records as they are written down, whichever segments they stand in."""
    reader = JournalReader(root, shard, session, tolerant=True)
    digest = hashlib.sha256()
    last = 0
    while batch := reader.read(last, _READ_BYTES):
        begin = int(batch.table["offset"][0]) - HEADER_BYTES
        end = int(batch.table["offset"][-1]) + int(batch.table["length"][-1])
        digest.update(batch.buffer[begin:end].tobytes())
        last = batch.last_number
    reader.close()
    return digest.hexdigest()


def _store_journal(root: Path, shard: str, session: date, writer: BackupWriter) -> None:
    folder = journal_folder(root, shard, session)
    place = f"{PART}/{shard}/{session:%Y%m%d}"
    # segments before contents: a record's content is written before the record that names it
    segments = list_segments(folder)
    for segment in segments:
        _store_segment(segment, place, writer, is_last=segment is segments[-1])
    named = {path.name for segment in segments for path in (segment.raw, segment.packed) if path}
    for entry in sorted(folder.rglob("*")):
        beside = entry.name in named or entry.name in _NOT_COPIED or entry.name.endswith(".tmp")
        # a segment that was begun meanwhile belongs to the next backup
        if beside or not entry.is_file() or entry.name.endswith((".journal", ".journal.zst")):
            continue
        relative = entry.relative_to(folder).as_posix()
        writer.store_file(f"{place}/{relative}", entry, packed=False, immutable=True)


def _store_segment(segment: Segment, place: str, writer: BackupWriter, *, is_last: bool) -> None:
    packed = segment.path.with_name(f"{segment.number:06d}.journal.zst")
    try:
        content = segment.raw.read_bytes() if segment.raw else None
    except FileNotFoundError:  # packed since it was listed
        content = None
    if content is None:
        writer.store_file(f"{place}/{packed.name}", packed, packed=False, immutable=True)
        return
    scanned = scan_records(content, start=SEGMENT_HEADER_BYTES)
    if is_last and scanned.stop is ScanStop.INCOMPLETE:
        content = content[: scanned.stopped_at]  # the writer is in the middle of a record
    name = f"{place}/{segment.number:06d}.journal"
    raw = writer.place(name)
    write_durably(raw, content)
    writer.adopt(_packed(raw, name) if len(scanned.table) else name)


def _packed(raw: Path, name: str) -> str:
    """Pack a segment in place and return the name of what lies there now; a damaged one stays as it is."""
    try:
        pack_segment(raw)
    except JournalDamaged:
        return name
    return f"{name}.zst"
