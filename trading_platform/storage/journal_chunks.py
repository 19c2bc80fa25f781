"""The segment files as a reader sees them: chunks of good records, faults between them, and an end."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trading_platform.errors import JournalDamaged
from trading_platform.storage.journal_blocks import (
    BLOCK_HEADER_BYTES,
    BlockHeader,
    BlockKind,
    decode_block_header,
    find_block,
    unpack_block,
)
from trading_platform.storage.journal_segments import (
    SEGMENT_HEADER_BYTES,
    Segment,
    SegmentHeader,
    decode_segment_header,
    raw_path,
    read_at,
)
from trading_platform.wire.journal_records import (
    HEADER_BYTES,
    MAX_BODY,
    RecordBatch,
    ScanStop,
    find_record,
    record_number,
    scan_records,
)

CHUNK_BYTES = 1024 * 1024

_NOTHING_MISSING = 0


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Good records, and where their buffer begins in the file (in a packed segment: where their block begins)."""

    records: RecordBatch
    offset: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes that are no good records; `resumes_with` is the number that follows, None when the rest is bad."""

    offset: int
    length: int
    resumes_with: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The end of what is there; a packed segment knows which number comes next."""

    next_number: int | None


class SegmentFile(Protocol):
    """One segment, raw or packed, read from front to back."""

    number: int
    packed: bool
    first_number: int | None

    def next(self, *, wanted: int, seeking: bool) -> Chunk | Fault | End:
        """Return what comes next and stand behind it, except at a fault, which `skip` passes, and at the end.

        While `seeking`, records before `wanted` may be left out.
        """

    def skip(self, fault: Fault) -> None:
        """Stand behind a fault."""

    def close(self) -> None:
        """Close the file."""


def open_segment(folder: Path, segment: Segment, header: SegmentHeader) -> SegmentFile:
    """Open a segment that should carry `header` (but for its first number), raw while it is there."""
    raw = raw_path(folder, segment.number)
    try:
        return RawSegment(raw, header)
    except FileNotFoundError:  # packed meanwhile; packing never removes both
        return PackedSegment(raw.with_name(f"{raw.name}.zst"), header)


class RawSegment:
    """A segment as it is written: a header and records, perhaps growing."""

    packed = False

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self.number = header.segment
        self._file = path.open("rb", buffering=0)
        self._at = 0
        self._fault = _header_fault(read_at(self._file.fileno(), 0, SEGMENT_HEADER_BYTES), header)
        self.first_number = None if self._fault else self._first_number()

    def next(self, *, wanted: int, seeking: bool) -> Chunk | Fault | End:
        """See SegmentFile."""
        if self._at == 0:
            if self._fault:
                return Fault(0, SEGMENT_HEADER_BYTES, _NOTHING_MISSING, self._fault)
            self._at = SEGMENT_HEADER_BYTES
        buffer = self._read(CHUNK_BYTES)
        if not buffer:
            return End(None)
        scanned = scan_records(buffer)
        if not len(scanned.records) and scanned.stop is ScanStop.INCOMPLETE and len(buffer) == CHUNK_BYTES:
            buffer = self._read(HEADER_BYTES + MAX_BODY)
            scanned = scan_records(buffer)
        if not len(scanned.records):
            return self._name_fault(scanned.stop, 1 if seeking else wanted)
        chunk = Chunk(scanned.records, self._at)
        self._at += scanned.stopped_at
        return chunk

    def skip(self, fault: Fault) -> None:
        """See SegmentFile."""
        self._at = fault.offset + fault.length

    def close(self) -> None:
        """See SegmentFile."""
        self._file.close()

    def _read(self, size: int) -> bytes:
        return read_at(self._file.fileno(), self._at, size)

    def _first_number(self) -> int:
        return decode_segment_header(read_at(self._file.fileno(), 0, SEGMENT_HEADER_BYTES)).first_number

    def _name_fault(self, stop: ScanStop, least: int) -> Fault:
        rest = self._read(os.fstat(self._file.fileno()).st_size - self._at)
        reason = stop.name.lower().replace("_", " ")
        found = find_record(rest, start=1, least=least)
        if found is None:
            return Fault(self._at, len(rest), None, reason)
        return Fault(self._at, found, record_number(rest, found), reason)


class PackedSegment:
    """A closed segment: blocks, the last of which tells how many records there were."""

    packed = True

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self.number = header.segment
        self._header = header
        self._file = path.open("rb", buffering=0)
        self._at = 0
        self._next_number: int | None = None  # known behind the END block
        self._damaged_end: int | None = None  # the same, when only the END block's content is bad
        first = self._block_header()
        self.first_number = first.first_number if first else None

    def next(self, *, wanted: int, seeking: bool) -> Chunk | Fault | End:
        """See SegmentFile."""
        while True:
            header = self._block_header()
            if header is None or self._next_number is not None:
                return self._name_fault()
            size = BLOCK_HEADER_BYTES + header.packed_bytes
            if seeking and header.kind is BlockKind.RECORDS and header.next_number <= wanted:
                self._at += size
                continue
            raw = unpack_block(header, read_at(self._file.fileno(), self._at + BLOCK_HEADER_BYTES, header.packed_bytes))
            found = self._judge(header, raw, size)
            if isinstance(found, Fault):
                return found
            self._at += size
            if isinstance(found, Chunk):
                return found

    def skip(self, fault: Fault) -> None:
        """See SegmentFile."""
        self._at = fault.offset + fault.length
        self._next_number = self._damaged_end

    def close(self) -> None:
        """See SegmentFile."""
        self._file.close()

    def _block_header(self) -> BlockHeader | None:
        return decode_block_header(read_at(self._file.fileno(), self._at, BLOCK_HEADER_BYTES))

    def _judge(self, header: BlockHeader, raw: bytes | None, size: int) -> Chunk | Fault | None:
        """Return the records of a block, what is wrong with it, or None when it holds no records."""
        if raw is None:
            reason, resumes = "damaged block", header.next_number
            self._damaged_end = header.next_number if header.kind is BlockKind.END else None
        elif header.kind is BlockKind.HEADER:
            reason, resumes = _header_fault(raw, self._header) or "", _NOTHING_MISSING
        elif header.kind is BlockKind.END:
            reason, resumes, self._next_number = "", 0, header.next_number
        else:
            scanned = scan_records(raw)
            if scanned.stop is ScanStop.END:
                return Chunk(scanned.records, self._at)
            reason, resumes = "damaged records in an intact block", header.next_number
        return Fault(self._at, size, resumes, reason) if reason else None

    def _name_fault(self) -> Fault | End:
        """Tell the proper end of the file from damage."""
        rest = read_at(self._file.fileno(), self._at, os.fstat(self._file.fileno()).st_size - self._at)
        if self._next_number is not None:
            if not rest:
                return End(self._next_number)
            return Fault(self._at, len(rest), _NOTHING_MISSING, "bytes behind the last block")
        found = find_block(rest, 1)
        if found is None:
            return Fault(self._at, len(rest), None, "damaged block header" if rest else "the last blocks are missing")
        following = decode_block_header(rest[found : found + BLOCK_HEADER_BYTES])
        assert following is not None  # noqa: S101  # find_block has checked it
        resumes = following.next_number if following.kind is BlockKind.END else following.first_number
        return Fault(self._at, found, resumes, "damaged block header")


def _header_fault(raw: bytes, expected: SegmentHeader) -> str | None:
    """Say what is wrong with a segment's header, None when nothing is."""
    try:
        found = decode_segment_header(raw)
    except JournalDamaged as error:
        return str(error)
    if (found.shard, found.session, found.segment) != (expected.shard, expected.session, expected.segment):
        return f"the header belongs to segment {found.segment} of {found.shard}, session {found.session}"
    return None
