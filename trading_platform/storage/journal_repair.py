"""Bring a journal into a state that can be continued: find its last good record, cut a torn tail, keep what was cut."""

import os
from dataclasses import dataclass
from pathlib import Path

from trading_platform.errors import JournalDamaged
from trading_platform.storage.journal_blocks import (
    BLOCK_HEADER_BYTES,
    BlockKind,
    decode_block_header,
    finish_packing,
    unpack_block,
)
from trading_platform.storage.journal_segments import (
    SEGMENT_HEADER_BYTES,
    Damage,
    Segment,
    decode_segment_header,
    list_segments,
    sync_folder,
    write_durably,
    write_failed,
)
from trading_platform.wire.journal_records import ScanStop, find_record, record_number, scan_records


@dataclass(frozen=True, slots=True)
class TailRepair:
    """A torn tail that was cut off: where, how much, after which record, and the file that keeps it."""

    segment: int
    offset: int
    bytes_cut: int
    last_good_number: int
    kept_in: Path

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"cut {self.bytes_cut} torn bytes from segment {self.segment:06d} at byte {self.offset}, after record "
            f"{self.last_good_number}; they are kept in {self.kept_in}"
        )


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a journal ends: its last good record, and the end of good bytes in the last segment."""

    last_number: int
    last_received_ns: int
    good_bytes: int
    torn: bytes
    damages: tuple[Damage, ...]


def finish_interrupted_work(folder: Path) -> None:
    """Undo or complete what a crash left half-way: temporary files, and segments that are there raw and packed."""
    for left_over in [*folder.glob("*.tmp"), *(folder / "blobs").glob("*.tmp")]:
        left_over.unlink()
    for segment in list_segments(folder):
        if segment.raw and segment.packed:
            try:
                finish_packing(segment.raw, segment.packed, segment.raw.read_bytes())
            except JournalDamaged:
                continue  # the packed file was the bad one; the raw one is packed again


def find_tail(segments: list[Segment]) -> Tail:
    """Find the last good record of a journal; raise JournalDamaged when its number cannot be known."""
    if not segments:
        return Tail(0, 0, 0, b"", ())
    *earlier, last = segments
    if last.raw is None:
        return _packed_tail(last)
    content = last.raw.read_bytes()
    tail = _raw_tail(last.number, content)
    if tail.last_number:
        return tail
    before = find_tail(earlier)
    return Tail(before.last_number, before.last_received_ns, tail.good_bytes, tail.torn, tail.damages)


def cut_tail(folder: Path, segment: Segment, tail: Tail) -> TailRepair | None:
    """Cut the torn bytes off a raw segment, after they were saved beside it; None when there are none."""
    if not tail.torn or segment.raw is None:
        return None
    kept = _free_name(folder, f"torn-{segment.number:06d}-{tail.good_bytes}")
    write_durably(kept, tail.torn)
    try:
        handle = os.open(segment.raw, os.O_WRONLY)
        try:
            os.ftruncate(handle, tail.good_bytes)
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(folder)
    except OSError as error:
        raise write_failed(segment.raw, error) from error
    return TailRepair(segment.number, tail.good_bytes, len(tail.torn), tail.last_number, kept)


def _raw_tail(segment: int, content: bytes) -> Tail:
    """Walk a raw segment; bad bytes that good records follow are damage, bad bytes at the end are a torn tail."""
    damages: list[Damage] = []
    number, received, good = 0, 0, SEGMENT_HEADER_BYTES
    if not _header_is_good(content):
        damages.append(Damage(segment, 0, min(SEGMENT_HEADER_BYTES, len(content)), 1, 0, "damaged segment header"))
    start = SEGMENT_HEADER_BYTES
    while True:
        scanned = scan_records(content, start=start)
        if len(scanned.records):
            number, received = scanned.records.last_number, int(scanned.table["received_ns"][-1])
            good = scanned.stopped_at
        if scanned.stop is ScanStop.END:
            break
        found = find_record(content, start=scanned.stopped_at + 1, least=number + 1)
        if found is None:
            break
        missing = (number + 1, record_number(content, found) - 1)
        damages.append(Damage(segment, scanned.stopped_at, found - scanned.stopped_at, *missing, "bad record"))
        start = found
    return Tail(number, received, min(good, len(content)), content[good:], tuple(damages))


def _header_is_good(content: bytes) -> bool:
    try:
        decode_segment_header(content)
    except JournalDamaged:
        return False
    return True


def _packed_tail(segment: Segment) -> Tail:
    """Read the last record of a packed segment."""
    content = segment.path.read_bytes()
    at = records_at = 0
    header, records = None, None
    while following := decode_block_header(content[at : at + BLOCK_HEADER_BYTES]):
        header = following
        if header.kind is BlockKind.RECORDS:
            records_at, records = at + BLOCK_HEADER_BYTES, header
        at += BLOCK_HEADER_BYTES + header.packed_bytes
    if header is None or header.kind is not BlockKind.END:
        raise JournalDamaged(
            f"{segment.path} is damaged at byte {at}: its last record is not known, so none can follow"
        )
    if records is None:
        return Tail(header.first_number - 1, 0, 0, b"", ())
    raw = unpack_block(records, content[records_at : records_at + records.packed_bytes])
    if raw is None:
        raise JournalDamaged(f"{segment.path} is damaged at byte {records_at}: its last record is not known")
    table = scan_records(raw).table
    return Tail(int(table["number"][-1]), int(table["received_ns"][-1]), 0, b"", ())


def _free_name(folder: Path, stem: str) -> Path:
    """Return a name for torn bytes that overwrites none of an earlier repair."""
    path, copy = folder / f"{stem}.bin", 1
    while path.exists():
        path, copy = folder / f"{stem}-{copy}.bin", copy + 1
    return path
