"""Find where the last so many bytes of a journal begin: the window of records that is kept in Redis."""

from collections.abc import Iterator

from trading_platform.storage.journal_blocks import BLOCK_HEADER_BYTES, BlockKind, decode_block_header
from trading_platform.storage.journal_segments import SEGMENT_HEADER_BYTES, Segment
from trading_platform.wire.journal_records import HEADER_BYTES, scan_records


def window_start(segments: list[Segment], max_bytes: int) -> int:
    """Return the first record number such that it and all after it have at most `max_bytes`; 1 for a short journal.

    Packed segments are cut at blocks. Damage ends the window: what is before it is not part of it.
    """
    left = max_bytes
    first = None
    for segment in reversed(segments):
        for number, size in _pieces(segment):
            left -= size
            if left < 0 and first is not None:
                return first
            first = number
    return first or 1


def _pieces(segment: Segment) -> Iterator[tuple[int, int]]:
    """Yield (first number, bytes) of parts of a segment, from its end to its start."""
    content = segment.path.read_bytes()
    if segment.raw is not None:
        table = scan_records(content, start=SEGMENT_HEADER_BYTES).table
        lengths = (table["length"][::-1] + HEADER_BYTES).tolist()
        yield from zip(table["number"][::-1].tolist(), lengths, strict=True)
        return
    blocks: list[tuple[int, int]] = []
    at = 0
    while header := decode_block_header(content[at : at + BLOCK_HEADER_BYTES]):
        if header.kind is BlockKind.RECORDS:
            blocks.append((header.first_number, header.raw_bytes))
        at += BLOCK_HEADER_BYTES + header.packed_bytes
    yield from reversed(blocks)
