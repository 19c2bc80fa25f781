"""A backup holds everything while all of it is written; half of one never looks whole; no secret is in it."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
import zstandard

from trading_platform.errors import BackupError, BackupRunning, HalfBackup
from trading_platform.storage.backup import lake_part
from trading_platform.storage.backup.catalogue import list_backups, locked, prune
from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.manifest import read_manifest
from trading_platform.storage.backup.restore import restore_backup
from trading_platform.storage.journal import verify_journal
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire import redis_keys
from trading_platform_tests.session_data import SESSION, SHARD, make_session
from trading_platform_tests.storage.backup.place import MOMENT, SECRETS, LiveWriter, Place, write_rows

DATA = make_session(3, minutes=4)


def test_everything_is_in_it_and_reads_again(place: Place) -> None:
    folder, manifest = place.back_up()
    assert folder.name == "20260820-190000"
    assert (manifest.faults, manifest.notes) == ((), ())
    (journal,) = manifest.journals
    assert (journal.records, journal.first, journal.last) == (len(DATA), 1, len(DATA))
    (table,) = manifest.tables
    assert (table.table, table.rows, table.version) == ("instruments", 3, 1)
    assert manifest.redis is not None
    assert (manifest.redis.keys, manifest.redis.by_type) == (3, {"hash": 1, "stream": 1, "string": 1})
    assert manifest.redis.point_in_time
    assert manifest.redis.positions == {f"{SHARD}/{SESSION}": len(DATA)}
    assert manifest.dagster_databases == 1
    assert check_backup(folder)[1] == []
    # the journal can be read where it lies, without a restore
    assert verify_journal(folder / "journal", SHARD, SESSION).is_whole


def test_all_is_for_this_user_alone(place: Place) -> None:
    folder, _ = place.back_up()
    for path in [place.root, folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_no_secret_is_anywhere_in_it(place: Place) -> None:
    folder, manifest = place.back_up()
    hidden = ["hidden-api-key-1", "hidden-token-22", "hidden-pass-3"]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.name.endswith((".jsonl.zst", ".rdb.zst", ".db.zst", ".csv.zst")):
                content += zstandard.ZstdDecompressor().decompressobj().decompress(content)
            assert not any(secret.encode() in content for secret in hidden), path
    assert {f"secret setting {name}" for name in SECRETS} <= set(manifest.not_included)


def test_it_is_of_one_moment_while_everything_is_written(place: Place, tmp_path: Path) -> None:
    live = LiveWriter(place, make_session(4, minutes=20, closed=False))
    live.start()
    try:
        assert live.begun.wait(60)
        begun = live.handed
        folder, manifest = place.back_up()
        ended = live.handed
    finally:
        live.stopped.set()
        live.join(30)
    assert ended > begun  # it went on meanwhile
    assert manifest.faults == ()
    (recorded,) = [one for one in manifest.journals if one.shard == "live"]
    assert manifest.redis is not None
    reached = manifest.redis.positions[f"live/{SESSION}"]
    assert begun <= reached <= recorded.last <= ended
    assert recorded.faults == ()
    compared = restore_backup(folder, tmp_path / "restored", 0)
    assert [one for one in compared if not one.same] == []
    with closing(sqlite3.connect(tmp_path / "restored/dagster/history/runs.db")) as database:
        (rows,) = database.execute("SELECT COUNT(*) FROM runs").fetchone()
    # Dagster's databases come first, so they know of nothing that the journal lacks
    assert 100 + begun <= rows <= 100 + recorded.last + 1
    manager = RedisManager(None, tmp_path / "restored/valkey")
    held = manager.connect().hget(redis_keys.position("live", SESSION), "record")
    newest = manager.connect().xrevrange(redis_keys.frames("live", SESSION), count=1)[0][0]
    manager.stop_server()
    assert int(held) == reached  # type: ignore[arg-type]
    assert reached <= int(newest.split(b"-")[0]) <= recorded.last


def test_redis_ahead_of_the_journal_is_named(place: Place) -> None:
    place.client.hset(redis_keys.position(SHARD, SESSION), "record", len(DATA) + 7)
    _, manifest = place.back_up()
    assert manifest.faults == (
        f"Redis is at record {len(DATA) + 7} of {SHARD}/{SESSION}, but the journal ends with {len(DATA)}",
    )


def test_what_never_changes_is_linked_to_the_backup_before_unless_it_is_to_be_fresh(place: Place) -> None:
    first, manifest = place.back_up()
    second, _ = place.back_up(MOMENT + timedelta(days=1))
    fresh, _ = place.back_up(MOMENT + timedelta(days=2), fresh=True)
    (segment,) = [file.stored for file in manifest.files if file.stored.endswith(".journal.zst")]
    assert (first / segment).stat().st_ino == (second / segment).stat().st_ino
    assert (first / segment).stat().st_ino != (fresh / segment).stat().st_ino
    prune(place.root, days=1, weeks=0)
    assert [one.folder for one in list_backups(place.root)] == [fresh]


def test_a_backup_outlives_the_one_that_it_is_linked_to(place: Place) -> None:
    place.back_up()
    second, _ = place.back_up(MOMENT + timedelta(hours=1))
    prune(place.root, days=1, weeks=0)
    assert check_backup(second)[1] == []


PROGRAM = """
import os, resource, signal, sys
from pathlib import Path
from trading_platform.errors import BackupError
from trading_platform.market.clock import Clock
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.backup import make
from trading_platform.storage.backup.sources import sources_of
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "killed":
    make.store_journals = die
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
settings = IsolatedSettings(data_dir=Path(sys.argv[1]))
try:
    make.make_backup(sources_of(settings, None, None), settings.backup_dir, Clock.wall().now())
except BackupError as error:
    print(error)
"""


def in_a_process(place: Place, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(place.settings.data_dir), how]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_full_disk_is_named_and_leaves_nothing_behind(place: Place) -> None:
    (place.settings.dumps_dir / "large.gz").write_bytes(os.urandom(100_000))
    done = in_a_process(place, "full")
    assert "no backup was made" in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert not done.stderr
    assert list_backups(place.root) == []


def test_a_killed_one_is_half_a_backup_and_says_so(place: Place, tmp_path: Path) -> None:
    assert in_a_process(place, "killed").returncode == -signal.SIGKILL
    (half,) = list_backups(place.root)
    assert half.folder.name.endswith(".unfinished")
    assert (half.is_good, half.trouble) == (False, "half: it was never finished")
    assert any(path.is_file() for path in half.folder.rglob("*"))
    for use in (lambda: check_backup(half.folder), lambda: restore_backup(half.folder, tmp_path / "into", 0)):
        with pytest.raises(HalfBackup, match="half a backup, which is none"):
            use()
    # taken for finished by its name, it is still half
    renamed = half.folder.rename(place.root / "20260820-180000")
    with pytest.raises(HalfBackup):
        read_manifest(renamed)
    renamed.rename(half.folder)
    whole, _ = place.back_up()
    assert prune(place.root, days=1, weeks=0) == [half.folder]
    assert [one.folder for one in list_backups(place.root)] == [whole]


def test_only_one_is_made_at_a_time(place: Place) -> None:
    place.root.mkdir(mode=0o700)
    with locked(place.root), pytest.raises(BackupRunning, match="another process"):
        place.back_up()


def test_a_folder_that_cannot_be_used_is_named(place: Place) -> None:
    place.root.write_text("in the way")
    with pytest.raises(BackupError, match=r"no backup was made: .*backups"):
        place.back_up()


def test_a_lake_that_is_written_meanwhile_stays_at_its_version(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    original = lake_part._log_files

    def later(folder: Path, version: int) -> list[str]:
        write_rows(place.lake(), date(2026, 7, 31), 5)
        return original(folder, version)

    monkeypatch.setattr(lake_part, "_log_files", later)
    folder, manifest = place.back_up()
    (table,) = manifest.tables
    assert (table.version, table.rows) == (1, 3)
    assert lake_part.summarise(folder / "lake" / "instruments", "instruments") == table
