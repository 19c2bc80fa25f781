from pathlib import Path

import pytest

from trading_platform.storage.journal_chunks import Chunk, End, Fault, open_segment
from trading_platform.storage.journal_segments import Segment, SegmentHeader
from trading_platform_tests.storage.journals import SESSION, SHARD, write

FOLDER = Path(SHARD) / "20260701"
HEADER = SegmentHeader(SHARD, SESSION, 1, 0)


@pytest.mark.parametrize("compress", [True, False])
def test_a_segment_gives_its_records_and_its_end(tmp_path: Path, *, compress: bool) -> None:
    records = write(tmp_path, [b"a", b"bb"], compress=compress)
    # listed before it was packed: what is there now counts
    file = open_segment(tmp_path / FOLDER, Segment(1, tmp_path / FOLDER / "000001.journal", None), HEADER)
    assert (file.number, file.packed, file.first_number) == (1, compress, 1)
    chunk = file.next(wanted=1, seeking=False)
    assert isinstance(chunk, Chunk)
    assert [chunk.records.encoded(row) for row in range(2)] == records
    end = file.next(wanted=3, seeking=False)
    assert end == End(3 if compress else None)
    assert file.next(wanted=3, seeking=False) == end
    file.close()


def test_an_open_file_is_read_on_after_it_was_packed_and_removed(tmp_path: Path) -> None:
    records = write(tmp_path, [b"a", b"bb"])
    segment = Segment(1, tmp_path / FOLDER / "000001.journal", None)
    file = open_segment(tmp_path / FOLDER, segment, HEADER)
    (tmp_path / FOLDER / "000001.journal").unlink()
    chunk = file.next(wanted=1, seeking=False)
    assert isinstance(chunk, Chunk)
    assert chunk.records.encoded(1) == records[1]


def test_a_fault_stays_until_it_is_skipped(tmp_path: Path) -> None:
    records = write(tmp_path, [b"a", b"bb", b"ccc"])
    path = tmp_path / FOLDER / "000001.journal"
    raw = bytearray(path.read_bytes())
    raw[64 + 33 + 20] ^= 255
    path.write_bytes(raw)
    file = open_segment(tmp_path / FOLDER, Segment(1, path, None), HEADER)
    assert isinstance(file.next(wanted=1, seeking=False), Chunk)
    fault = Fault(64 + len(records[0]), len(records[1]), 3, "bad crc")
    assert file.next(wanted=2, seeking=False) == fault
    assert file.next(wanted=2, seeking=False) == fault
    file.skip(fault)
    chunk = file.next(wanted=3, seeking=False)
    assert isinstance(chunk, Chunk)
    assert chunk.records.encoded(0) == records[2]
