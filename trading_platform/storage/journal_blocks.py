"""Closed segments: independent compressed blocks, each with its own checksums, so that damage stays inside one.

A block is a skippable zstd frame that holds our header, then one zstd frame: `zstd -d` restores the raw segment. The
first block holds the segment's header, the last one is empty and says how many records there were.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import zstandard

from trading_platform.errors import JournalDamaged
from trading_platform.storage.journal_segments import (
    SEGMENT_HEADER_BYTES,
    decode_segment_header,
    sync_folder,
    write_durably,
    write_failed,
)
from trading_platform.wire.journal_records import HEADER_BYTES, MAX_BODY, ScanStop, scan_records

BLOCK_BYTES = 1024 * 1024
BLOCK_HEADER_BYTES = 48

_LARGEST_RAW = BLOCK_BYTES + HEADER_BYTES + MAX_BODY
_HEADER = struct.Struct("<II4sHHIIIIQII")
_SKIPPABLE = 0x184D2A50
_MAGIC = b"TPJB"
_MAGIC_AT = 8
_VERSION = 1
_LEVEL = 1


class BlockKind(IntEnum):
    """What a block holds."""

    HEADER = 1
    RECORDS = 2
    END = 3


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block's place, sizes and numbers; an END block carries the totals of its segment."""

    kind: BlockKind
    index: int
    raw_bytes: int
    packed_bytes: int
    packed_crc: int
    first_number: int
    count: int

    @property
    def next_number(self) -> int:
        """Return the number after the block's last record."""
        return self.first_number + self.count


def encode_block(kind: BlockKind, index: int, raw: bytes, *, first_number: int, count: int) -> bytes:
    """Compress one block and put its header before it."""
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(raw)
    head = (_SKIPPABLE, BLOCK_HEADER_BYTES - 8, _MAGIC, _VERSION, kind, index, len(raw), len(packed))
    fields = (*head, zlib.crc32(packed), first_number, count)
    return _HEADER.pack(*fields, zlib.crc32(_HEADER.pack(*fields, 0)[:-4])) + packed


def decode_block_header(raw: bytes) -> BlockHeader | None:
    """Read a block's header, None when it is not one or does not pass its checksum."""
    if len(raw) < BLOCK_HEADER_BYTES:
        return None
    frame, size, magic, version, kind, *sizes, crc = _HEADER.unpack_from(raw)
    intact = crc == zlib.crc32(raw[: BLOCK_HEADER_BYTES - 4]) and (frame, size) == (_SKIPPABLE, BLOCK_HEADER_BYTES - 8)
    if not intact or magic != _MAGIC or version != _VERSION or kind not in BlockKind.__members__.values():
        return None
    return BlockHeader(BlockKind(kind), *sizes)


def unpack_block(header: BlockHeader, packed: bytes) -> bytes | None:
    """Decompress a block's content, None when it is damaged."""
    if len(packed) != header.packed_bytes or zlib.crc32(packed) != header.packed_crc:
        return None
    try:
        if zstandard.get_frame_parameters(packed).content_size != header.raw_bytes or header.raw_bytes > _LARGEST_RAW:
            return None
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=header.raw_bytes)
    except zstandard.ZstdError:
        return None


def find_block(content: bytes, start: int) -> int | None:
    """Return the offset of the next whole block header from `start` on, None when there is none."""
    at = content.find(_MAGIC, start + _MAGIC_AT)
    while at >= 0:
        begin = at - _MAGIC_AT
        if decode_block_header(content[begin : begin + BLOCK_HEADER_BYTES]):
            return begin
        at = content.find(_MAGIC, at + 1)
    return None


def pack_segment(raw: Path) -> Path:
    """Replace a raw segment by a packed one that was read back first; a damaged raw segment is left as it is."""
    packed = raw.with_name(f"{raw.name}.zst")
    try:
        content = raw.read_bytes()
    except OSError as error:
        raise write_failed(raw, error) from error
    write_durably(packed, *_blocks(raw, content))
    finish_packing(raw, packed, content)
    return packed


def finish_packing(raw: Path, packed: Path, content: bytes) -> None:
    """Remove the raw segment when the packed one gives back the same bytes; else remove the packed one and say so."""
    try:
        same = _gives_back(packed.read_bytes(), content)
        (raw if same else packed).unlink()
        sync_folder(raw.parent)
    except OSError as error:
        raise write_failed(packed, error) from error
    if not same:
        raise JournalDamaged(f"{packed} did not read back as it was written and was removed; {raw} is kept")


def unpack_segment(content: bytes) -> bytes | None:
    """Return the raw bytes of a packed segment, None when any part of it is damaged."""
    parts = list(_raw_blocks(content))
    found = [part for part in parts if part is not None]
    return b"".join(found) if len(found) == len(parts) else None


def _raw_blocks(content: bytes) -> Iterator[bytes | None]:
    """Yield the raw bytes of each block of a packed segment, and a last None when it is damaged or not whole."""
    at, index, count = 0, 0, 0
    while at < len(content):
        header = decode_block_header(content[at : at + BLOCK_HEADER_BYTES])
        at += BLOCK_HEADER_BYTES
        if header is None or header.index != index:
            break
        raw = unpack_block(header, content[at : at + header.packed_bytes])
        at += header.packed_bytes
        if raw is None:
            break
        if header.kind is BlockKind.END:
            if header.count != count or at != len(content):
                break
            return
        yield raw
        index, count = index + 1, count + header.count
    yield None


def _gives_back(packed: bytes, content: bytes) -> bool:
    """Tell whether a packed segment holds these bytes; block by block, so that other threads get their turn."""
    at = 0
    for raw in _raw_blocks(packed):
        if raw is None or content[at : at + len(raw)] != raw:
            return False
        at += len(raw)
    return at == len(content)


def _blocks(path: Path, content: bytes) -> Iterator[bytes]:
    scanned = scan_records(content, start=SEGMENT_HEADER_BYTES)
    if scanned.stop is not ScanStop.END:
        raise JournalDamaged(f"{path} is damaged at byte {scanned.stopped_at}; it stays as it is, unpacked")
    first = decode_segment_header(content).first_number
    if not np.array_equal(scanned.table["number"], first + np.arange(len(scanned.table), dtype=np.uint64)):
        raise JournalDamaged(f"{path} has a gap in its record numbers; it stays as it is, unpacked")
    yield encode_block(BlockKind.HEADER, 0, content[:SEGMENT_HEADER_BYTES], first_number=first, count=0)
    starts = scanned.table["offset"] - HEADER_BYTES
    ends = scanned.table["offset"] + scanned.table["length"]
    row, index = 0, 1
    while row < len(starts):
        begin = int(starts[row])
        # whole records only, and at least one however long it is
        beyond = max(row + 1, int(np.searchsorted(ends, begin + BLOCK_BYTES, side="right")))
        number = int(scanned.table["number"][row])
        raw = content[begin : int(ends[beyond - 1])]
        yield encode_block(BlockKind.RECORDS, index, raw, first_number=number, count=beyond - row)
        row, index = beyond, index + 1
    yield encode_block(BlockKind.END, index, b"", first_number=first, count=len(starts))
