import errno
import os
import resource
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from trading_platform.errors import JournalError, JournalLocked, JournalWriteFailed
from trading_platform.storage import journal_writer
from trading_platform.storage.journal import JournalWriter, verify_journal
from trading_platform.wire.journal_records import RecordKind, encode_record, scan_records
from trading_platform_tests.storage.journals import SESSION, SHARD, open_reader, open_writer, read_all, write


def test_records_are_numbered_and_continue_after_a_restart(tmp_path: Path) -> None:
    first = write(tmp_path, [b"a", b"b"], compress=True)
    second = write(tmp_path, [b"c"], compress=False)
    third = write(tmp_path, [b"d"])
    assert read_all(open_reader(tmp_path)) == first + second + third
    assert first[0] == encode_record(1, 1000, RecordKind.FRAME, b"a")
    assert third[0] == encode_record(4, 1003, RecordKind.FRAME, b"d")
    with open_writer(tmp_path) as writer:
        assert (writer.last_number, writer.flushed_number, writer.last_received_ns) == (4, 4, 1003)
        assert (writer.repair, writer.damages) == (None, ())


def test_nothing_is_in_the_file_before_a_flush(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.append(RecordKind.FRAME, b"abc", 5, socket=2)
        assert (writer.last_number, writer.flushed_number, writer.buffered_bytes) == (1, 0, 35)
        assert not len(open_reader(tmp_path).read(0, 100))
        writer.flush()
        assert (writer.flushed_number, writer.buffered_bytes) == (1, 0)
        assert open_reader(tmp_path).read(0, 100).table["socket"].tolist() == [2]


def test_segments_roll_and_are_packed(tmp_path: Path) -> None:
    records = write(tmp_path, [os.urandom(100) for _ in range(100)], segment_bytes=2000, compress=True)
    folder = tmp_path / SHARD / "20260701"
    names = sorted(path.name for path in folder.iterdir())
    assert names[:2] == ["000001.journal.zst", "000002.journal.zst"]
    assert not list(folder.glob("*.journal"))
    assert read_all(open_reader(tmp_path)) == records
    assert (
        verify_journal(tmp_path, SHARD, SESSION).segments == len(list(folder.glob("*.zst"))) == 8
    )  # 14 records of 132 bytes fit


def test_opening_and_closing_again_makes_no_more_segments(tmp_path: Path) -> None:
    write(tmp_path, [b"x"], compress=True)
    for _ in range(3):
        write(tmp_path, [], compress=True)
    assert len(list((tmp_path / SHARD / "20260701").glob("0*"))) == 2


def test_everything_is_for_this_user_only(tmp_path: Path) -> None:
    with open_writer(tmp_path / "journal", segment_bytes=200) as writer:
        for _ in range(5):
            writer.append(RecordKind.FRAME, b"x" * 90, 1)
            writer.flush()
        writer.put_blob(b"content")
        writer.close()
    paths = [tmp_path / "journal", *(tmp_path / "journal").rglob("*")]
    assert len(paths) > 8
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        with pytest.raises(JournalLocked, match=f"process {os.getpid()} "):
            open_writer(tmp_path)
        code = f"""
from datetime import date
from pathlib import Path
from trading_platform.errors import JournalLocked
from trading_platform.storage.journal import JournalWriter
try:
    JournalWriter.open(Path({str(tmp_path)!r}), {SHARD!r}, date(2026, 7, 1))
except JournalLocked as error:
    print(error)
"""
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert f"process {os.getpid()} " in told
        with JournalWriter.open(tmp_path, SHARD, date(2026, 7, 2)) as other:
            other.append(RecordKind.FRAME, b"another session", 1)
        writer.append(RecordKind.FRAME, b"undisturbed", 1)
    open_writer(tmp_path).close()


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(JournalError, match="closed"):
        writer.append(RecordKind.FRAME, b"x", 1)


def test_encoded_records_must_continue(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        batch = scan_records(encode_record(1, 7, 1, b"a") + encode_record(2, 8, 1, b"b", 1)).records
        writer.append_encoded(batch)
        assert (writer.last_number, writer.last_received_ns) == (2, 8)
        with pytest.raises(JournalError, match="record 1 cannot follow record 2"):
            writer.append_encoded(batch)
        writer.flush()
        assert read_all(open_reader(tmp_path)) == [batch.encoded(0), batch.encoded(1)]


def test_content_is_stored_once_and_mended_when_it_is_not_what_it_was(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        sha256 = writer.put_blob(b"abc")
        # sha256 of "abc", from FIPS 180-2
        assert sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        path = writer.folder / "blobs" / sha256
        before = path.stat().st_ino
        assert writer.put_blob(b"abc") == sha256
        assert path.stat().st_ino == before
        path.write_bytes(b"abd")
        writer.put_blob(b"abc")
        assert path.read_bytes() == b"abc"


def fail_after(monkeypatch: pytest.MonkeyPatch, allowed: int, code: int) -> None:
    """Let the file system take `allowed` bytes more and refuse the rest, as a full disk does."""
    real = os.write
    left = [allowed]

    def write_some(handle: int, content: bytes) -> int:
        if left[0] == 0:
            raise OSError(code, os.strerror(code))
        written = real(handle, content[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(journal_writer.os, "write", write_some)


@pytest.mark.parametrize("allowed", [0, 1, 31, 32, 41, 42, 43, 83, 84, 100, 125])
def test_a_write_that_stops_anywhere_is_cut_at_a_record_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    with open_writer(tmp_path) as writer:
        records = [writer.append(RecordKind.FRAME, bytes(10), 1) for _ in range(3)]
        with monkeypatch.context() as patch:
            fail_after(patch, allowed, errno.ENOSPC)
            with pytest.raises(JournalWriteFailed, match=r"000001\.journal: No space left on device \(errno 28\)"):
                writer.flush()
        whole = allowed // 42
        assert writer.flushed_number == whole
        assert (writer.folder / "000001.journal").stat().st_size == 64 + 42 * whole
        assert read_all(open_reader(tmp_path)) == records[:whole]
        records.append(writer.append(RecordKind.FRAME, b"later", 2))
        writer.flush()
        assert read_all(open_reader(tmp_path)) == records


def test_a_journal_that_cannot_be_written_refuses_before_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "BUFFER_LIMIT_BYTES", 100)
    with open_writer(tmp_path) as writer:
        writer.append(RecordKind.FRAME, bytes(50), 1)
        with pytest.raises(JournalWriteFailed, match="free space"):
            writer.append(RecordKind.FRAME, bytes(50), 1)
        assert writer.last_number == 1


FULL_DISK = """
import resource, signal, sys
from datetime import date
from pathlib import Path
from trading_platform.errors import JournalWriteFailed
from trading_platform.storage.journal import JournalWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = JournalWriter.open(Path(sys.argv[1]), "t1", date(2026, 7, 1))
for _ in range(10):
    writer.append(1, bytes(100), 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
try:
    writer.flush()
except JournalWriteFailed as error:
    print(error)
print(writer.flushed_number, (writer.folder / "000001.journal").stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.flush()
writer.close(compress=False)
"""


def test_the_system_refuses_to_let_the_file_grow(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    told, state = done.stdout.splitlines()
    assert f"errno {errno.EFBIG}" in told
    assert "000001.journal" in told
    assert state == f"4 {64 + 4 * 132}"  # 700 bytes hold the header and four records of 132
    assert len(read_all(open_reader(tmp_path))) == 10
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


READ_ONLY = """
import os, sys
from datetime import date
from pathlib import Path
from trading_platform.errors import JournalWriteFailed
from trading_platform.storage.journal import JournalWriter
os.chdir(sys.argv[1])  # the folders above may be closed to the other user
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    JournalWriter.open(Path("journal"), "t1", date(2026, 7, 1))
except JournalWriteFailed as error:
    print(error)
"""


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    root = tmp_path / "shut"
    root.mkdir(mode=0o555)
    code = [sys.executable, "-c", READ_ONLY, str(root)]
    told = subprocess.run(code, capture_output=True, text=True, check=False, timeout=60)
    assert "cannot write journal/t1" in told.stdout, told.stderr
    assert "errno 13" in told.stdout


def test_a_sync_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with open_writer(tmp_path) as writer:
        writer.append(RecordKind.FRAME, b"x", 1)
        writer.flush()
        with monkeypatch.context() as patch:
            patch.setattr(journal_writer.os, "fsync", refuse)
            with pytest.raises(JournalWriteFailed, match="errno 5"):
                writer.sync()
        writer.sync()


def test_a_segment_that_cannot_be_packed_is_kept_and_named(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.append(RecordKind.FRAME, b"x" * 50, 1)
        writer.flush()
        path = writer.folder / "000001.journal"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        writer.close()
    assert path.exists()
    assert len(writer.unpacked) == 1
    assert str(path) in writer.unpacked[0]
