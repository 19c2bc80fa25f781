"""Compaction keeps every row and every file that somebody may read, removes the rest, and changes nothing twice."""

import os
import threading
from datetime import date, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from trading_platform.errors import LakeError
from trading_platform.market.clock import IST, Clock, pause
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.make import make_backup
from trading_platform.storage.backup.restore import restore_backup
from trading_platform.storage.backup.sources import sources_of
from trading_platform.storage.lake import Lake, active_files
from trading_platform.storage.lake_compaction import TableCompaction, compact_lake

FIRST, SECOND = date(2026, 8, 20), date(2026, 8, 21)
TABLE = "imported_bars"
WEEK = timedelta(days=7)
MONTH_SECONDS = 30 * 86_400


def bars(session: date, closes: list[float]) -> pl.DataFrame:
    starts = [datetime(session.year, session.month, session.day, 9, 15 + i, tzinfo=IST) for i in range(len(closes))]
    named = dict.fromkeys(("open", "high", "low", "close"), closes)
    size = len(closes)
    rows = {"session": [session] * size, "symbol": ["INFY"] * size, "start": starts, **named}
    return pl.DataFrame({**rows, "volume": [7] * size, "source": ["file"] * size})


def append(root: Path, rows: pl.DataFrame) -> None:
    """Add a file to a session, as no writer of ours does."""
    utc = rows.with_columns(pl.col("start").dt.convert_time_zone("UTC"))
    write_deltalake(str(root / TABLE), utc, mode="append")


def age(root: Path, seconds: int = MONTH_SECONDS) -> None:
    """Let a table's files be written, and replaced, long ago."""
    then = Clock.wall().now_ns() // 10**9 - seconds
    for path in (root / TABLE).rglob("*.json"):
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        for line in lines:
            if "remove" in line:
                line["remove"]["deletionTimestamp"] = then * 1000
        path.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    for path in (root / TABLE).rglob("*"):
        os.utime(path, (then, then))


def compacted(root: Path, keep: timedelta = WEEK, **options: bool) -> TableCompaction:
    (done,) = compact_lake(root, keep=keep, tables=[TABLE], **options)
    assert done.trouble is None
    return done


def tree(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in root.rglob("*") if path.is_file()}


def closes(root: Path) -> list[float]:
    return sorted(Lake(root).read_sessions(TABLE, Lake(root).sessions(TABLE))["close"].to_list())


def test_small_files_become_one_and_no_row_changes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session(TABLE, FIRST, bars(FIRST, [1.0, 2.0]))
    lake.write_session(TABLE, SECOND, bars(SECOND, [9.0]))
    for close in (3.0, 4.0, 5.0):
        append(tmp_path, bars(FIRST, [close]))
    done = compacted(tmp_path)
    assert (done.before.files, done.compacted_sessions, done.removed_files) == (5, 1, 0)
    # the four small ones stay for who reads them now, beside the one that they became
    assert (done.after.files, done.kept_files) == (6, 4)
    assert len(active_files(DeltaTable(tmp_path / TABLE))) == 2
    assert closes(tmp_path) == [1.0, 2.0, 3.0, 4.0, 5.0, 9.0]


def test_what_was_replaced_long_ago_goes_and_bytes_are_told(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for close in range(6):
        lake.write_session(TABLE, FIRST, bars(FIRST, [float(close)]))
    age(tmp_path)
    done = compacted(tmp_path)
    assert (done.before.files, done.after.files, done.removed_files, done.kept_files) == (6, 1, 5, 0)
    assert done.after.bytes == sum(path.stat().st_size for path in (tmp_path / TABLE).glob("session=*/*.parquet"))
    assert done.after.bytes < done.before.bytes
    assert closes(tmp_path) == [5.0]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for close in range(3):
        lake.write_session(TABLE, FIRST, bars(FIRST, [float(close)]))
    append(tmp_path, bars(FIRST, [3.0]))
    age(tmp_path)
    compacted(tmp_path)
    held, version = tree(tmp_path), lake.version(TABLE)
    again = compacted(tmp_path)
    assert (again.compacted_sessions, again.removed_files, again.before) == (0, 0, again.after)
    assert (tree(tmp_path), lake.version(TABLE)) == (held, version)


def test_an_old_file_that_was_replaced_just_now_stays_readable(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session(TABLE, FIRST, bars(FIRST, [1.0]))
    age(tmp_path)
    reader = DeltaTable(tmp_path / TABLE)
    lake.write_session(TABLE, FIRST, bars(FIRST, [2.0]))
    assert compacted(tmp_path, timedelta(days=1)).kept_files == 1
    assert pl.scan_delta(reader).collect()["close"].to_list() == [1.0]


def test_a_file_of_a_commit_to_come_stays_and_one_that_was_never_committed_goes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session(TABLE, FIRST, bars(FIRST, [1.0]))
    (written,) = (tmp_path / TABLE).glob("session=*/*.parquet")
    orphan = written.with_name("part-orphan.parquet")
    orphan.write_bytes(written.read_bytes())
    assert compacted(tmp_path).kept_files == 1
    assert orphan.exists()
    age(tmp_path)
    assert compacted(tmp_path).removed_files == 1
    assert not orphan.exists()


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for close in range(3):
        lake.write_session(TABLE, FIRST, bars(FIRST, [float(close)]))
    append(tmp_path, bars(FIRST, [3.0]))
    age(tmp_path)
    held = tree(tmp_path)
    done = compacted(tmp_path, dry_run=True)
    assert (done.compacted_sessions, done.removed_files, done.after) == (1, 2, done.before)
    assert tree(tmp_path) == held


def test_a_backup_needs_none_of_what_goes(tmp_path: Path) -> None:
    settings = IsolatedSettings(data_dir=tmp_path / "data")
    lake = Lake(settings.lake_dir)
    lake.write_session(TABLE, FIRST, bars(FIRST, [1.0]))
    moment = datetime(2026, 8, 20, 19, tzinfo=IST)
    folder, manifest = make_backup(sources_of(settings, None, None), settings.backup_dir, moment)
    lake.write_session(TABLE, FIRST, bars(FIRST, [2.0]))
    age(settings.lake_dir)
    assert compacted(settings.lake_dir).removed_files == 1
    assert check_backup(folder)[1] == []
    assert all(one.same for one in restore_backup(folder, tmp_path / "into", Clock.wall().now_ns()))
    assert [one.version for one in manifest.tables] == [1]
    assert closes(tmp_path / "into" / "lake") == [1.0]


def test_writers_go_on_meanwhile(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session(TABLE, FIRST, bars(FIRST, [0.0]))
    for close in range(4):
        append(tmp_path, bars(SECOND, [100.0 + close]))
    stop = threading.Event()
    written: list[float] = []

    def write() -> None:
        while not stop.is_set():
            written.append(float(len(written)))
            lake.write_session(TABLE, FIRST, bars(FIRST, [written[-1]]))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 2:
            pause(0.01)
        assert sum(compacted(tmp_path, timedelta(days=1)).compacted_sessions for _ in range(3)) >= 1
    finally:
        stop.set()
        writer.join()
    assert closes(tmp_path) == [written[-1], 100.0, 101.0, 102.0, 103.0]


def test_a_table_that_cannot_be_read_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session(TABLE, FIRST, bars(FIRST, [1.0]))
    (tmp_path / "patterns" / "_delta_log").mkdir(parents=True)
    (tmp_path / "patterns" / "_delta_log" / f"{0:020}.json").write_bytes(b"no json")
    by_name = {one.table: one for one in compact_lake(tmp_path, keep=WEEK)}
    assert "patterns" in str(by_name["patterns"].trouble)
    assert (by_name[TABLE].trouble, by_name[TABLE].after.files) == (None, 1)
    assert by_name["instruments"].before.files == 0


@pytest.mark.parametrize("keep", [timedelta(hours=23), timedelta(days=8)])
def test_a_time_that_would_hurt_readers_or_be_forgotten_is_refused(tmp_path: Path, keep: timedelta) -> None:
    with pytest.raises(LakeError, match="1 to 7 days"):
        compact_lake(tmp_path, keep=keep)


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"no table bars; its tables are instruments"):
        compact_lake(tmp_path, keep=WEEK, tables=["bars"])
