import os
import shutil
from pathlib import Path

import pytest

from trading_platform.errors import JournalDamaged
from trading_platform.storage.journal import verify_journal
from trading_platform.storage.journal_blocks import pack_segment
from trading_platform.storage.journal_repair import find_tail
from trading_platform.storage.journal_segments import list_segments
from trading_platform.wire.journal_records import RecordKind
from trading_platform_tests.storage.journals import SESSION, SHARD, open_reader, open_writer, read_all, write

BODIES = [b"first", b"second record", b"the third, and last, is the longest"]
FOLDER = Path(SHARD) / "20260701"


def overwrite(root: Path, change: slice, content: bytes, name: str = "000001.journal") -> None:
    path = root / FOLDER / name
    raw = bytearray(path.read_bytes())
    raw[change] = content
    path.write_bytes(raw)


LAST = 32 + len(BODIES[2])


@pytest.mark.parametrize("left", range(LAST))
def test_a_tail_torn_at_any_byte_is_cut_kept_and_continued(tmp_path: Path, left: int) -> None:
    records = write(tmp_path, BODIES)
    path = tmp_path / FOLDER / "000001.journal"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - LAST + left])
    assert read_all(open_reader(tmp_path)) == records[:2]
    with open_writer(tmp_path) as writer:
        assert writer.last_number == 2
        if left == 0:
            assert writer.repair is None
        else:
            assert writer.repair is not None
            assert (writer.repair.bytes_cut, writer.repair.last_good_number) == (left, 2)
            assert writer.repair.kept_in.read_bytes() == records[2][:left]
            assert f"cut {left} torn bytes" in str(writer.repair)
        again = writer.append(RecordKind.FRAME, b"again", 5000)
        writer.flush()
        assert read_all(open_reader(tmp_path)) == [*records[:2], again]
        writer.close(compress=False)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert (report.records, report.torn_tail, report.damages) == (3, 0, ())


@pytest.mark.parametrize("noise", [bytes(100), b"\xff" * 33, b"TPR\x01", os.urandom(5000)])
def test_noise_behind_the_last_record_is_a_torn_tail(tmp_path: Path, noise: bytes) -> None:
    records = write(tmp_path, BODIES)
    with (tmp_path / FOLDER / "000001.journal").open("ab") as file:
        file.write(noise)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert (report.torn_tail, report.damages, report.is_whole) == (len(noise), (), False)
    with open_writer(tmp_path) as writer:
        assert writer.repair is not None
        assert writer.repair.kept_in.read_bytes() == noise
    assert read_all(open_reader(tmp_path)) == records


def test_a_bad_record_at_the_end_is_a_torn_tail_but_one_in_the_middle_is_never_cut(tmp_path: Path) -> None:
    records = write(tmp_path, BODIES)
    size = sum(map(len, records))
    overwrite(tmp_path, slice(-1, None), b"?")
    overwrite(tmp_path, slice(64 + 40, 64 + 41), b"\x00")  # inside the second record
    with open_writer(tmp_path) as writer:
        assert writer.last_number == 1
        assert writer.repair is not None
        assert writer.repair.bytes_cut == size - len(records[0])

    other = tmp_path / "other"
    other.mkdir()
    records = write(other, BODIES)
    overwrite(other, slice(64 + 40, 64 + 41), b"\x00")
    with open_writer(other) as writer:
        assert writer.repair is None
        assert writer.last_number == 3
        (damage,) = writer.damages
        assert (damage.segment, damage.first_missing, damage.last_missing) == (1, 2, 2)
        assert (damage.offset, damage.length) == (64 + len(records[0]), len(records[1]))
        writer.append(RecordKind.FRAME, b"goes on", 9)
        writer.flush()
        assert len(read_all(open_reader(other, tolerant=True))) == 3


def test_a_segment_without_records_continues_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, BODIES, compress=True)
    with open_writer(tmp_path) as writer:
        writer.append(RecordKind.FRAME, b"lost", 7)
        writer.flush()
        writer.close(compress=False)
    overwrite(tmp_path, slice(64 + 5, None), b"", "000002.journal")
    with open_writer(tmp_path) as writer:
        assert (writer.last_number, writer.last_received_ns) == (3, 1002)
        assert writer.repair is not None
        assert writer.repair.bytes_cut == 5


def test_torn_bytes_of_two_repairs_at_one_place_are_both_kept(tmp_path: Path) -> None:
    write(tmp_path, BODIES)
    for noise in (b"one", b"two"):
        with (tmp_path / FOLDER / "000001.journal").open("ab") as file:
            file.write(noise)
        open_writer(tmp_path).close(compress=False)
    kept = sorted(path.read_bytes() for path in (tmp_path / FOLDER).glob("torn-*.bin"))
    assert kept == [b"one", b"two"]


def states_while_packing(root: Path) -> dict[str, dict[str, bytes]]:
    """Return what is in the folder at each point where a crash may stop the packing of segment 1."""
    folder = root / FOLDER
    raw = (folder / "000001.journal").read_bytes()
    copy = root / "copy"
    shutil.copytree(folder, copy)
    packed = pack_segment(copy / "000001.journal").read_bytes()
    return {
        "before": {"000001.journal": raw},
        "temporary file begun": {"000001.journal": raw, "000001.journal.zst.tmp": packed[: len(packed) // 2]},
        "temporary file whole": {"000001.journal": raw, "000001.journal.zst.tmp": packed},
        "renamed": {"000001.journal": raw, "000001.journal.zst": packed},
        "renamed, but not what was written": {"000001.journal": raw, "000001.journal.zst": packed[:-1]},
        "done": {"000001.journal.zst": packed},
    }


@pytest.mark.parametrize("last", [True, False])
def test_a_crash_at_any_point_of_packing_leaves_a_readable_journal(tmp_path: Path, *, last: bool) -> None:
    if last:
        records = write(tmp_path, BODIES)
    else:
        records = write(tmp_path, [*BODIES, b"in segment two"], segment_bytes=250)
        assert len(list_segments(tmp_path / FOLDER)) == 2
    for name, files in states_while_packing(tmp_path).items():
        root = tmp_path / name
        folder = root / FOLDER
        shutil.copytree(tmp_path / FOLDER, folder)
        for old in folder.glob("000001*"):
            old.unlink()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        assert read_all(open_reader(root)) == records, name
        with open_writer(root) as writer:
            assert writer.last_number == len(records), name
            records_after = [*records, writer.append(RecordKind.FRAME, b"more", 1)]
        assert not writer.unpacked, name
        assert read_all(open_reader(root)) == records_after, name
        assert not list(folder.glob("*.tmp")), name
        assert not list(folder.glob("*.journal")), name


def test_nothing_can_follow_a_packed_segment_whose_end_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, BODIES, compress=True)
    path = tmp_path / FOLDER / "000001.journal.zst"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(JournalDamaged, match="last record is not known"):
        open_writer(tmp_path)
    open_reader(tmp_path).close()


def test_an_empty_journal_has_an_empty_tail() -> None:
    tail = find_tail([])
    assert (tail.last_number, tail.torn, tail.damages) == (0, b"", ())
