"""A restored place compares with its backup; a damaged backup, or a place that holds something, is refused by name."""

from datetime import timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading_platform.errors import BackupDamaged, BackupError
from trading_platform.storage.backup.catalogue import list_backups
from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.manifest import MANIFEST
from trading_platform.storage.backup.restore import restore_backup
from trading_platform.storage.journal import JournalWriter, verify_journal
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import encode_record
from trading_platform_tests.session_data import SESSION, SHARD
from trading_platform_tests.storage.backup.place import MOMENT, Place, table_rows

NOW_NS = 1_787_000_000_000_000_000


def test_everything_comes_back(place: Place, tmp_path: Path) -> None:
    folder, _ = place.back_up()
    into = tmp_path / "elsewhere" / "data"
    compared = restore_backup(folder, into, NOW_NS)
    assert {one.part for one in compared} == {
        f"journal {SHARD}/{SESSION}",
        "table instruments",
        "dagster",
        "dumps",
        "Redis",
    }
    assert all(one.same for one in compared)
    assert verify_journal(into / "journal", SHARD, SESSION).is_whole
    day = table_rows(MOMENT.date(), 0).schema
    held = Lake(into / "lake").read_sessions("instruments", Lake(into / "lake").sessions("instruments"))
    assert held.schema == day
    there = place.lake().read_sessions("instruments", place.lake().sessions("instruments"))
    assert_frame_equal(held.sort("token"), there.sort("token"))
    assert (into / "dumps" / "instruments_20260730.csv").read_text() == "token,symbol\n1,ONE\n" * 50
    assert orjson.loads((into / "restored" / "settings.json").read_bytes())["shard"] == SHARD
    manager = RedisManager(None, into / "valkey")
    stream = manager.connect().xrange(redis_keys.frames(SHARD, SESSION))
    manager.stop_server()
    assert stream == place.client.xrange(redis_keys.frames(SHARD, SESSION))
    assert all(path.stat().st_mode & 0o077 == 0 for path in [into, *into.rglob("*")] if not path.is_symlink())


def test_a_restored_lake_can_be_written_on(place: Place, tmp_path: Path) -> None:
    folder, _ = place.back_up()
    restore_backup(folder, tmp_path / "into", NOW_NS)
    lake = Lake(tmp_path / "into" / "lake")
    lake.write_session("instruments", MOMENT.date(), table_rows(MOMENT.date(), 2))
    assert len(lake.sessions("instruments")) == 2
    assert pl.scan_delta(str(tmp_path / "into/lake/instruments")).select(pl.len()).collect().item() == 5


def test_a_restored_journal_that_was_open_is_continued(place: Place, tmp_path: Path) -> None:
    settings = place.settings
    with JournalWriter.open(settings.journal_dir, "open", SESSION) as writer:
        writer.append(1, b"one", 1)
        writer.append(1, b"two", 2)
        writer.flush()
        raw = next((settings.journal_dir / "open").rglob("*.journal"))
        with raw.open("ab") as file:
            file.write(encode_record(3, 3, 1, b"three", 0)[:-2])
        folder, manifest = place.back_up()
    (said,) = [one for one in manifest.journals if one.shard == "open"]
    assert (said.records, said.last) == (2, 2)
    assert not any("bytes are no whole record" in fault for fault in said.faults)
    restore_backup(folder, tmp_path / "into", NOW_NS)
    with JournalWriter.open(tmp_path / "into" / "journal", "open", SESSION) as again:
        assert again.last_number == 2
        again.append(1, b"three", 3)
    assert verify_journal(tmp_path / "into" / "journal", "open", SESSION).records == 3


def test_keys_whose_time_is_over_are_counted_not_missed(place: Place, tmp_path: Path) -> None:
    place.client.set("short", "lived", px=3_600_000)
    at_ms = place.client.pexpiretime("short")
    folder, _ = place.back_up()
    (redis,) = [one for one in restore_backup(folder, tmp_path / "a", 0) if one.part == "Redis"]
    assert (redis.restored, redis.same) == ("4 keys the same", True)
    later = (int(at_ms) + 1) * 1_000_000  # type: ignore[arg-type]
    (redis,) = [one for one in restore_backup(folder, tmp_path / "b", later) if one.part == "Redis"]
    assert (redis.restored, redis.same) == ("3 keys the same, 1 expired since", True)


def test_a_flipped_byte_and_a_missing_file_are_named_and_not_restored(place: Place, tmp_path: Path) -> None:
    folder, manifest = place.back_up()
    for file in manifest.files:
        path = folder / file.stored
        before = path.read_bytes()
        if before:
            flipped = bytearray(before)
            flipped[len(before) // 2] ^= 0x10
            path.write_bytes(flipped)
            _, faults = check_backup(folder)
            assert [fault for fault in faults if file.stored in fault], file.stored
        path.unlink()
        assert any(file.stored in fault and "No such file" in fault for fault in check_backup(folder)[1])
        with pytest.raises(BackupDamaged, match="nothing was restored"):
            restore_backup(folder, tmp_path / "into", NOW_NS)
        assert not (tmp_path / "into").exists()
        path.touch(mode=0o600)
        path.write_bytes(before)
    assert check_backup(folder)[1] == []


def test_a_shorter_file_is_seen_without_reading_contents(place: Place) -> None:
    folder, manifest = place.back_up()
    with (folder / manifest.files[-1].stored).open("ab") as file:
        file.write(b"x")
    (one,) = list_backups(place.root)
    assert not one.is_good
    assert "bytes instead of" in str(one.trouble)


def test_a_damaged_manifest_and_what_it_does_not_know_are_named(place: Place) -> None:
    folder, _ = place.back_up()
    (folder / "stranger").touch(mode=0o644)
    faults = check_backup(folder)[1]
    assert faults == [
        "stranger is not in the manifest",
        "stranger can be read by others: make it private (chmod go-rwx)",
    ]
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"records": ', b'"records": 1', 1))
    with pytest.raises(BackupDamaged, match="digest"):
        check_backup(folder)
    path.write_bytes(b"{")
    with pytest.raises(BackupDamaged, match="cannot be read"):
        check_backup(folder)


def test_a_place_that_holds_something_is_refused(place: Place, tmp_path: Path) -> None:
    folder, _ = place.back_up()
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    for into, why in (
        (full, "is not empty"),
        (folder / "below", "lies in the backup itself"),
        (full / "file", "not empty"),
    ):
        with pytest.raises(BackupError, match=why):
            restore_backup(folder, into, NOW_NS)
    assert [path.name for path in full.iterdir()] == ["file"]
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "empty.restoring").mkdir()
    with pytest.raises(BackupError, match="left of a restore that did not end well"):
        restore_backup(folder, empty, NOW_NS)
    (tmp_path / "empty.restoring").rmdir()
    assert all(one.same for one in restore_backup(folder, empty, NOW_NS))


def test_damage_of_the_source_is_copied_and_named(place: Place, tmp_path: Path) -> None:
    segment = next(place.settings.journal_dir.rglob("*.journal.zst"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    folder, manifest = place.back_up()
    assert any("copied as it is" in fault and "segment 000001" in fault for fault in manifest.faults)
    assert check_backup(folder)[1] == []
    compared = restore_backup(folder, tmp_path / "into", NOW_NS)
    assert all(one.same for one in compared)


def test_a_second_backup_of_a_grown_journal_is_another(place: Place) -> None:
    with JournalWriter.open(place.settings.journal_dir, "grows", SESSION) as writer:
        writer.append(1, b"one", 1)
        writer.flush()
        _, first = place.back_up()
        writer.append(1, b"two", 2)
        writer.flush()
        _, second = place.back_up(MOMENT + timedelta(minutes=1))
    records = [[one.records for one in said.journals if one.shard == "grows"] for said in (first, second)]
    assert records == [[1], [2]]
