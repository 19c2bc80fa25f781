import os
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import JournalDamaged
from trading_platform.storage.journal_blocks import (
    BLOCK_BYTES,
    BLOCK_HEADER_BYTES,
    BlockKind,
    decode_block_header,
    encode_block,
    find_block,
    finish_packing,
    pack_segment,
    unpack_block,
    unpack_segment,
)
from trading_platform.storage.journal_segments import list_segments
from trading_platform_tests.storage.journals import open_writer, write

BLOCK = encode_block(BlockKind.RECORDS, 4, b"content" * 30, first_number=77, count=3)


def raw_segment(root: Path, bodies: list[bytes]) -> Path:
    write(root, bodies, segment_bytes=1 << 30, flush_each=False)
    segment = list_segments(open_folder(root))[0]
    assert segment.raw is not None
    return segment.raw


def open_folder(root: Path) -> Path:
    with open_writer(root) as writer:
        writer.close(compress=False)
    return writer.folder


def test_a_block_comes_back() -> None:
    header = decode_block_header(BLOCK)
    assert header is not None
    assert (header.kind, header.index, header.first_number, header.count) == (BlockKind.RECORDS, 4, 77, 3)
    assert header.next_number == 80
    assert unpack_block(header, BLOCK[BLOCK_HEADER_BYTES:]) == b"content" * 30


@settings(deadline=None)
@given(st.integers(0, len(BLOCK) * 8 - 1))
def test_any_flipped_bit_of_a_block_is_noticed(bit: int) -> None:
    raw = bytearray(BLOCK)
    raw[bit // 8] ^= 1 << bit % 8
    header = decode_block_header(bytes(raw))
    assert header is None or unpack_block(header, bytes(raw[BLOCK_HEADER_BYTES:])) is None


def test_a_block_that_claims_more_than_it_holds_is_refused() -> None:
    header = decode_block_header(encode_block(BlockKind.RECORDS, 0, bytes(100), first_number=1, count=1))
    assert header is not None
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 26))
    forged = type(header)(header.kind, 0, 1 << 26, len(bomb), __import__("zlib").crc32(bomb), 1, 1)
    assert unpack_block(forged, bomb) is None


def test_blocks_are_found_behind_noise() -> None:
    assert find_block(b"TPJB" * 9 + BLOCK, 0) == 36
    assert find_block(BLOCK + BLOCK, 1) == len(BLOCK)
    assert find_block(BLOCK, 1) is None


def test_a_segment_is_packed_in_several_blocks_and_any_zstd_restores_it(tmp_path: Path) -> None:
    raw = raw_segment(tmp_path, [os.urandom(700) for _ in range(5000)])
    content = raw.read_bytes()
    packed = pack_segment(raw).read_bytes()
    assert not raw.exists()
    assert unpack_segment(packed) == content
    assert zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read() == content
    sizes = []
    at = 0
    while header := decode_block_header(packed[at : at + BLOCK_HEADER_BYTES]):
        sizes.append(header.raw_bytes)
        at += BLOCK_HEADER_BYTES + header.packed_bytes
    assert at == len(packed)
    assert len(sizes) == 6  # the header's, four of records, the end's
    assert all(size <= BLOCK_BYTES for size in sizes)


def test_a_damaged_raw_segment_is_not_packed(tmp_path: Path) -> None:
    raw = raw_segment(tmp_path, [b"a" * 50, b"b" * 50])
    content = bytearray(raw.read_bytes())
    content[-1] ^= 1
    raw.write_bytes(content)
    with pytest.raises(JournalDamaged, match="stays as it is"):
        pack_segment(raw)
    assert raw.exists()
    assert not list(raw.parent.glob("*.zst*"))


def test_a_gap_in_the_numbers_is_not_packed(tmp_path: Path) -> None:
    raw = raw_segment(tmp_path, [b"a" * 50, b"b" * 50, b"c" * 50])
    content = raw.read_bytes()
    raw.write_bytes(content[: 64 + 82] + content[64 + 164 :])
    with pytest.raises(JournalDamaged, match="gap"):
        pack_segment(raw)
    assert raw.exists()


@pytest.mark.parametrize("cut", [0, 1, 48, 500])
def test_a_packed_segment_that_gives_back_something_else_is_removed_and_the_raw_one_kept(
    tmp_path: Path, cut: int
) -> None:
    raw = raw_segment(tmp_path, [b"a" * 50, b"b" * 50])
    content = raw.read_bytes()
    packed = pack_segment(raw)
    whole = packed.read_bytes()
    for other, held in ((content[:-1] + b"?", whole), (content + b"?", whole), (content, whole[:-cut] + b"?" * cut)):
        raw.write_bytes(other)
        packed.write_bytes(held)
        with pytest.raises(JournalDamaged, match="did not read back"):
            finish_packing(raw, packed, other)
        assert raw.read_bytes() == other
        assert not packed.exists()
