import os
from datetime import date, datetime
from pathlib import Path

from trading_platform.health.checks_host import BackupFacts
from trading_platform.health.look_disk import look_at_backups, look_at_disk
from trading_platform.market.clock import IST, NS_PER_SECOND
from trading_platform.storage.backup.manifest import FORMAT, MANIFEST, UNFINISHED, Manifest, encode_manifest
from trading_platform.storage.journal import JournalWriter
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control
from trading_platform_tests.health.made import FRIDAY, at

HOUR = 3600 * NS_PER_SECOND
THURSDAY = date(2026, 7, 30)


def record(root: Path, session: date, begins_ns: int, frames: int = 10) -> int:
    """Write a small journal; return what it takes on the disk."""
    with JournalWriter.open(root, "k1", session) as journal:
        body = encode_control(ControlType.SESSION_OPENED, session=session.isoformat(), shard="k1")
        journal.append(RecordKind.CONTROL, body, begins_ns)
        for k in range(frames):
            journal.append(RecordKind.FRAME, os.urandom(1000), begins_ns + k)
        journal.flush()
    return sum(path.stat().st_size for path in (root / "k1" / f"{session:%Y%m%d}").rglob("*") if path.is_file())


def test_without_a_data_folder_the_room_is_that_of_where_it_would_be(tmp_path: Path) -> None:
    facts = look_at_disk(tmp_path / "a" / "b", tmp_path / "a" / "b" / "journal", "k1", now_ns=at(10), today=FRIDAY)
    assert facts.free_bytes > 0
    assert facts.total_bytes >= facts.free_bytes
    assert (facts.session_bytes, facts.grown_in_seconds, facts.past_session_bytes) == (None, None, None)


def test_todays_journal_grew_since_its_first_record(tmp_path: Path) -> None:
    size = record(tmp_path, FRIDAY, at(9))
    facts = look_at_disk(tmp_path, tmp_path, "k1", now_ns=at(10), today=FRIDAY)
    assert (facts.session_bytes, facts.grown_in_seconds, facts.past_session_bytes) == (size, 3600.0, None)
    assert look_at_disk(tmp_path, tmp_path, "k1", now_ns=at(9, 0, 4), today=FRIDAY).grown_in_seconds is None


def test_past_sessions_count_by_the_largest_of_the_last_three(tmp_path: Path) -> None:
    sizes = [record(tmp_path, date(2026, 7, day), at(9), frames=day) for day in (24, 30, 28, 27)]
    facts = look_at_disk(tmp_path, tmp_path, "k1", now_ns=at(10), today=FRIDAY)
    assert facts.session_bytes is None
    assert facts.past_session_bytes == max(sizes)
    largest_is_too_old = record(tmp_path, date(2026, 7, 20), at(9), frames=99)
    again = look_at_disk(tmp_path, tmp_path, "k1", now_ns=at(10), today=FRIDAY)
    assert again.past_session_bytes == max(sizes) < largest_is_too_old


def test_a_journal_without_a_readable_record_has_a_size_and_no_speed(tmp_path: Path) -> None:
    record(tmp_path, FRIDAY, at(9))
    segment = tmp_path / "k1" / "20260731" / "000001.journal"
    segment.write_bytes(b"\0" * 200)
    facts = look_at_disk(tmp_path, tmp_path, "k1", now_ns=at(10), today=FRIDAY)
    assert facts.session_bytes is not None
    assert facts.grown_in_seconds is None


def backup(folder: Path, made_at: datetime, *, finished: bool = True) -> Path:
    """Write a backup that holds nothing."""
    place = folder / (f"{made_at:%Y%m%d-%H%M%S}" + ("" if finished else UNFINISHED))
    place.mkdir(parents=True)
    said = Manifest(
        format=FORMAT, name=place.name, made_at=made_at, platform="1", files=(), journals=(), tables=(), redis=None,
        dagster_databases=0, not_included=(), notes=(), faults=(),
    )  # fmt: skip
    (place / MANIFEST).write_bytes(encode_manifest(said))
    return place


def on(day: int, hour: int) -> datetime:
    return datetime(2026, 7, day, hour, tzinfo=IST)


ENDS = {THURSDAY: at(16, on=THURSDAY), FRIDAY: at(16)}


def looked(folder: Path, now_ns: int, sessions: tuple[date, ...] = (THURSDAY, FRIDAY)) -> BackupFacts:
    return look_at_backups(folder, list(sessions), now_ns=now_ns, ends_ns=ENDS.get)


def test_the_newest_backup_is_compared_with_the_sessions_that_ended(tmp_path: Path) -> None:
    backup(tmp_path, on(29, 17))
    backup(tmp_path, on(30, 17))
    before_close = looked(tmp_path, at(15))
    assert (before_close.made_at_ns, before_close.sessions_since) == (at(17, on=THURSDAY), 0)
    assert looked(tmp_path, at(21, 59)).sessions_since == 0  # there is time for it
    assert looked(tmp_path, at(22)).sessions_since == 1


def test_without_a_backup_every_session_is_missing(tmp_path: Path) -> None:
    none = looked(tmp_path / "backups", at(22))
    assert (none.made_at_ns, none.sessions_since, none.any_session) == (None, 2, True)
    assert not looked(tmp_path / "backups", at(22), ()).any_session


def test_half_a_backup_and_a_damaged_one_are_none(tmp_path: Path) -> None:
    backup(tmp_path, on(30, 17), finished=False)
    half = looked(tmp_path, at(22))
    assert (half.made_at_ns, half.sessions_since) == (None, 2)
    assert "half" in (half.problem or "")
    damaged = backup(tmp_path, on(31, 17)) / MANIFEST
    damaged.write_bytes(damaged.read_bytes().replace(b"2026", b"2027"))
    assert looked(tmp_path, at(22)).made_at_ns is None
    backup(tmp_path, on(30, 18))
    good = looked(tmp_path, at(22))
    assert (good.made_at_ns, good.sessions_since, good.problem) == (at(18, on=THURSDAY), 1, None)
