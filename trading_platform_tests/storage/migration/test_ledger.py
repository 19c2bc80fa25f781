import os
from pathlib import Path

import pytest

from trading_platform.errors import MigrationFileDamaged, MigrationLocked, MigrationRefused
from trading_platform.migration.ledger_records import LedgerEntry
from trading_platform.storage.migration.ledger import LEDGER, Ledger, migration_lock

SERVERS = {"source": "s", "layout": "L4", "target": "t"}


def entries(*names: str) -> list[LedgerEntry]:
    return [LedgerEntry(name, 1, (f"old {name}",), "f", f"digest {name}", None, None) for name in names]


def opened(folder: Path, **other: str) -> Ledger:
    return Ledger(folder, {**SERVERS, **other})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = opened(tmp_path)
    made.writing(entries("a", "b", "c"))
    made.settled(["a", "b"], ["c"])
    made.writing(entries("c", "d"))
    made.settled(["c", "d"], [])
    made.removed(["b"])
    return made


def test_what_stands_is_known_again(ledger: Ledger, tmp_path: Path) -> None:
    for one in (ledger, opened(tmp_path)):
        assert set(one.written) == {"a", "c", "d"}
        assert list(one.batches()) == [entries("a"), entries("c", "d")]
        assert one.unsettled == {}
        assert not one.is_new


def test_looking_leaves_no_file(tmp_path: Path) -> None:
    assert opened(tmp_path).is_new
    assert list(tmp_path.iterdir()) == []


def test_what_was_begun_and_not_settled_is_known(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.writing(entries("a"))
    first.settled(["a"], [])
    first.staging("large")
    first.writing(entries("b", "c"))
    again = opened(tmp_path)
    assert list(again.unsettled.values()) == entries("b", "c")
    assert list(again.staged) == ["large"]
    again.settled(["c"], ["b"])
    again.unstaged("large")
    last = opened(tmp_path)
    assert (set(last.written), last.unsettled, last.staged) == ({"a", "c"}, {}, {})


def test_a_line_that_a_kill_cut_off_is_forgotten(ledger: Ledger, tmp_path: Path) -> None:
    ledger.writing(entries("e"))
    ledger.close()
    whole = (tmp_path / LEDGER).read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for kept in (1, last // 2, last - 1):
        (tmp_path / LEDGER).write_bytes(whole[: len(whole) - last + kept])
        again = opened(tmp_path)
        assert again.unsettled == {}
        again.writing(entries("f"))
        again.close()
        assert set(opened(tmp_path).unsettled) == {"f"}


def test_a_changed_or_missing_line_is_refused_by_its_number(ledger: Ledger, tmp_path: Path) -> None:
    lines = (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)
    for changed, number in ((lines[:2] + lines[3:], 3), ([*lines[:2], lines[2].replace(b"a", b"b", 1), *lines[3:]], 3)):
        (tmp_path / LEDGER).write_bytes(b"".join(changed))
        with pytest.raises(MigrationFileDamaged, match=f"line {number}"):
            opened(tmp_path)


def test_a_ledger_of_other_servers_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="folder of its own"):
        opened(tmp_path, target="another")
    Ledger(tmp_path, {"target": "t"})  # whoever rolls back does not know the source


def test_a_full_disk_stops_with_a_reason_and_nothing_is_lost(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(MigrationRefused, match="No space left"):
        ledger.removed(["a"])
    monkeypatch.undo()
    ledger.removed(["d"])
    assert set(opened(tmp_path).written) == {"a", "c"}


def test_files_are_for_their_user_only(ledger: Ledger, tmp_path: Path) -> None:
    assert (tmp_path / LEDGER).stat().st_mode & 0o777 == 0o600


def test_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with migration_lock(folder), pytest.raises(MigrationLocked, match="another process"), migration_lock(folder):
        pass
    with migration_lock(folder):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MigrationRefused, match="choose another folder"), migration_lock(tmp_path / "file" / "x"):
        pass
