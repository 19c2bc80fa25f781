import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import JournalDamaged, JournalError, JournalWriteFailed
from trading_platform.storage.journal_segments import (
    SEGMENT_HEADER_BYTES,
    Damage,
    SegmentHeader,
    decode_segment_header,
    encode_segment_header,
    journal_folder,
    journal_sessions,
    list_segments,
    make_folder,
    require_writable,
    write_durably,
)

HEADER = SegmentHeader("k1", date(2026, 8, 20), 3, 12345)


def test_a_header_comes_back() -> None:
    raw = encode_segment_header(HEADER)
    assert len(raw) == SEGMENT_HEADER_BYTES
    assert raw[:4] == b"TPJS"
    assert decode_segment_header(raw + b"records") == HEADER


@settings(deadline=None)
@given(st.integers(0, SEGMENT_HEADER_BYTES * 8 - 1))
def test_any_flipped_bit_of_a_header_is_noticed(bit: int) -> None:
    raw = bytearray(encode_segment_header(HEADER))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(JournalDamaged):
        decode_segment_header(bytes(raw))


def test_a_short_header_is_damage() -> None:
    with pytest.raises(JournalDamaged, match="10"):
        decode_segment_header(encode_segment_header(HEADER)[:10])


@pytest.mark.parametrize("shard", ["", "../x", "a/b", "-a", "a" * 37, "ä", "a b"])
def test_a_shard_name_cannot_leave_its_folder(shard: str, tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        journal_folder(tmp_path, shard, HEADER.session)


def test_sessions_and_segments_are_listed_in_order(tmp_path: Path) -> None:
    assert journal_sessions(tmp_path, "k1") == []
    for name in ("20260703", "20260701", "20261301", "notes", "2026070"):
        (tmp_path / "k1" / name).mkdir(parents=True)
    (tmp_path / "k1" / "20260705").write_text("a file")
    assert journal_sessions(tmp_path, "k1") == [date(2026, 7, 1), date(2026, 7, 3)]
    folder = journal_folder(tmp_path, "k1", date(2026, 7, 3))
    assert list_segments(folder) == []
    for name in ("000010.journal", "000002.journal.zst", "000002.journal", "000001.journal.zst", "x.journal", "lock"):
        (folder / name).touch()
    (folder / "000011.journal.tmp").touch()
    found = [(one.number, one.raw is not None, one.packed is not None) for one in list_segments(folder)]
    assert found == [(1, False, True), (2, True, True), (10, True, False)]
    assert list_segments(folder)[1].path.name == "000002.journal"


def test_files_and_folders_are_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_folder(folder)
    write_durably(folder / "file", b"content")
    assert (folder / "file").read_bytes() == b"content"
    assert stat.S_IMODE((folder / "file").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_whether_journals_can_be_written_is_known_before_one_is(tmp_path: Path) -> None:
    require_writable(tmp_path / "journal", "k1")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalWriteFailed, match="journal/k1: Not a directory"):
        require_writable(tmp_path / "journal", "k1")


def test_damage_says_what_is_missing() -> None:
    assert "records 5 to 9 are missing" in str(Damage(1, 0, 3, 5, 9, "bad crc"))
    assert "no record is missing" in str(Damage(1, 0, 3, 5, 4, "bad crc"))
    assert "records from 5 on are missing" in str(Damage(1, 0, 3, 5, None, "bad crc"))
