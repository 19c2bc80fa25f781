import gzip
from pathlib import Path

import pytest

from trading_platform.batch import dump_file
from trading_platform.batch.dump_file import DumpText, read_text
from trading_platform.errors import BadFileError

TEXT = b"".join(b"%d,line %d of the file\n" % (number * 7919 % 1000, number) for number in range(5000))


@pytest.fixture
def packed() -> bytes:
    return gzip.compress(TEXT)


def saved(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_plain_and_packed_files_give_the_same_text(tmp_path: Path, packed: bytes) -> None:
    assert read_text(saved(tmp_path, "a.csv", TEXT)) == DumpText(TEXT)
    assert read_text(saved(tmp_path, "a.csv.gz", packed)) == DumpText(TEXT)


def test_gzip_is_known_by_its_content(tmp_path: Path, packed: bytes) -> None:
    # a browser or client saves Kite's gzip answer under the plain name
    assert read_text(saved(tmp_path, "a.csv", packed)) == DumpText(TEXT)


def test_members_follow_each_other_and_zeros_pad_the_end(tmp_path: Path, packed: bytes) -> None:
    assert read_text(saved(tmp_path, "a.gz", packed + packed + b"\0" * 100)) == DumpText(TEXT + TEXT)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_what_stands_before_a_cut_is_kept(tmp_path: Path, packed: bytes, part: float) -> None:
    text = read_text(saved(tmp_path, "a.gz", packed[: int(len(packed) * part)]))
    assert TEXT.startswith(text.content)
    assert 0 < len(text.content) < len(TEXT)
    assert text.cut
    assert text.damage == f"gzip ends early, after {len(text.content)} bytes of text"


def test_a_lost_checksum_is_a_cut_too(tmp_path: Path, packed: bytes) -> None:
    text = read_text(saved(tmp_path, "a.gz", packed[:-4]))
    assert text.content == TEXT
    assert text.cut


def test_what_follows_the_end_is_named_and_the_text_is_whole(tmp_path: Path, packed: bytes) -> None:
    text = read_text(saved(tmp_path, "a.gz", packed + b"<html>"))
    assert text.content == TEXT
    assert not text.cut
    assert "6 bytes" in str(text.damage)


def test_a_wrong_checksum_makes_the_whole_file_useless(tmp_path: Path, packed: bytes) -> None:
    wrong = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    with pytest.raises(BadFileError, match="any row may be wrong"):
        read_text(saved(tmp_path, "a.gz", wrong))


def test_a_flipped_bit_never_passes_unseen(tmp_path: Path, packed: bytes) -> None:
    for at in range(10, len(packed), len(packed) // 40):
        flipped = packed[:at] + bytes([packed[at] ^ 16]) + packed[at + 1 :]
        path = saved(tmp_path, "a.gz", flipped)
        try:
            text = read_text(path)
        except BadFileError:
            continue
        assert text.damage is not None


@pytest.mark.parametrize("content", [TEXT, b"", b"\x1f", b"<html>"])
def test_named_gz_and_not_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadFileError, match="is not gzip"):
        read_text(saved(tmp_path, "a.csv.gz", content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="cannot be read"):
        read_text(tmp_path / "absent.csv")
    with pytest.raises(BadFileError, match="cannot be read"):
        read_text(tmp_path)


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump_file, "MAX_TEXT_BYTES", 3_000_000)
    with pytest.raises(BadFileError, match="unpacks to more"):
        read_text(saved(tmp_path, "a.gz", gzip.compress(b"0" * 50_000_000)))
    with pytest.raises(BadFileError, match="more than a dump"):
        read_text(saved(tmp_path, "a.csv", b"0" * 3_000_001))
