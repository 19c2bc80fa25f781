import errno
import os
from pathlib import Path

import pytest

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import StateNotWritten
from trading_platform.streaming.checkpoint import KEPT, StateFiles
from trading_platform.wire.journal_records import RecordBatch
from trading_platform_tests.session_data import make_session

DATA = make_session(1, minutes=3)
BEYOND = 10**9


def state_at(position: int) -> SessionPass:
    state = SessionPass(DATA.session, DATA.contents.__getitem__)
    state.feed(RecordBatch(DATA.batch.buffer, DATA.batch.table[:position]))
    return state


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.reports: list[str] = []
        self.files = self.of_code("a")

    def of_code(self, code: str) -> StateFiles:
        return StateFiles(self.path, code=code, report=self.reports.append)

    def load(self, at_most: int = BEYOND, code: str = "a") -> int | None:
        state = self.of_code(code).load(DATA.contents.__getitem__, at_most)
        return None if state is None else state.position

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "state")


def test_a_state_comes_back_as_it_was(folder: Folder) -> None:
    saved = state_at(100)
    folder.files.save(saved)
    loaded = folder.files.load(DATA.contents.__getitem__, 100)
    assert loaded is not None
    assert loaded.save() == saved.save()


def test_three_are_kept_and_the_newest_that_is_not_ahead_is_taken(folder: Folder) -> None:
    for position in (20, 40, 60, 80):
        folder.files.save(state_at(position))
    assert len(folder.names()) == KEPT == 3
    assert [folder.files.has(position) for position in (20, 40, 80)] == [False, True, True]
    assert [folder.load(at_most) for at_most in (BEYOND, 80, 79, 59, 39)] == [80, 80, 60, 40, None]


@pytest.mark.parametrize("at", [0, 5, 9, 40, 400, -1])
def test_a_flipped_byte_anywhere_is_noticed_and_the_next_older_file_is_taken(folder: Folder, at: int) -> None:
    folder.files.save(state_at(40))
    newest = folder.files.save(state_at(60))
    content = bytearray(newest.read_bytes())
    content[at] ^= 1
    newest.write_bytes(content)
    assert folder.load() == 40
    assert len(folder.reports) == 1
    assert str(newest) in folder.reports[0]


@pytest.mark.parametrize("length", [0, 1, 31, 32, 1000])
def test_a_short_file_is_noticed(folder: Folder, length: int) -> None:
    folder.files.save(state_at(40))
    newest = folder.files.save(state_at(60))
    newest.write_bytes(newest.read_bytes()[:length])
    assert folder.load() == 40
    assert str(newest) in folder.reports[0]


def test_a_state_that_other_code_left_is_not_continued_but_still_says_closed(folder: Folder) -> None:
    folder.files.save(state_at(len(DATA)))
    assert folder.load(code="b") is None
    assert "another version of the calculations" in folder.reports[0]
    assert folder.of_code("b").closed_at_ns() is not None


def test_only_a_state_of_a_closed_session_says_when_it_was_closed(folder: Folder) -> None:
    assert folder.files.closed_at_ns() is None
    folder.files.save(state_at(60))
    assert folder.files.closed_at_ns() is None
    path = folder.files.save(state_at(len(DATA)))
    assert folder.files.closed_at_ns() == path.stat().st_mtime_ns


def test_states_beyond_the_outputs_are_forgotten(folder: Folder) -> None:
    for position in (20, 40, 60):
        folder.files.save(state_at(position))
    folder.files.forget_beyond(40)
    assert folder.load() == 40
    folder.files.drop()
    assert folder.names() == []


def test_what_a_killed_engine_left_half_written_is_cleared_away(folder: Folder) -> None:
    folder.path.mkdir()
    (folder.path / "000000000020.writing").write_bytes(b"half")
    (folder.path / "notes.state").write_bytes(b"not ours")
    folder.files.save(state_at(40))
    assert folder.names() == ["000000000040.state", "notes.state"]
    assert folder.load() == 40


def test_a_disk_that_refuses_is_named_and_older_states_stay(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.files.save(state_at(40))

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(StateNotWritten, match=r"No space left.*make room"):
        patched.setattr("os.fsync", full)
        folder.files.save(state_at(60))
    assert folder.load() == 40


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(StateNotWritten, match="state"):
        Folder(tmp_path / "state").files.save(state_at(40))


def test_states_and_their_folders_are_for_this_user_only(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        saved = StateFiles(below, code="a", report=[].append).save(state_at(100))
    finally:
        os.umask(before)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert below.stat().st_mode & 0o777 == below.parent.stat().st_mode & 0o777 == 0o700
