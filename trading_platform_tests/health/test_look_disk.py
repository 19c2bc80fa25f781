import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from trading_platform.health.look_disk import look_at_backups, look_at_disk
from trading_platform.market.clock import NS_PER_SECOND
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


def manifest(folder: Path, name: str, content: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "manifest.json").write_text(content)


def closes(sessions: dict[date, int]) -> Callable[[date], int | None]:
    return sessions.get


def test_the_newest_backup_is_compared_with_the_sessions_that_ended(tmp_path: Path) -> None:
    ends = closes({THURSDAY: at(16, on=THURSDAY), FRIDAY: at(16)})
    manifest(tmp_path, "1", '{"made_at": "2026-07-29T17:00:00+05:30"}')
    manifest(tmp_path, "2", '{"made_at": "2026-07-30T17:00:00+05:30"}')
    sessions = [THURSDAY, FRIDAY]
    before_close = look_at_backups(tmp_path, sessions, now_ns=at(15), ends_ns=ends)
    assert (before_close.made_at_ns, before_close.sessions_since) == (at(17, on=THURSDAY), 0)
    soon_after = look_at_backups(tmp_path, sessions, now_ns=at(18, 59), ends_ns=ends)
    assert soon_after.sessions_since == 0  # there is time for it
    assert look_at_backups(tmp_path, sessions, now_ns=at(19), ends_ns=ends).sessions_since == 1


def test_without_a_backup_every_session_is_missing(tmp_path: Path) -> None:
    ends = closes({THURSDAY: at(16, on=THURSDAY), FRIDAY: at(16)})
    none = look_at_backups(tmp_path / "backups", [THURSDAY, FRIDAY], now_ns=at(20), ends_ns=ends)
    assert (none.made_at_ns, none.sessions_since, none.any_session) == (None, 2, True)
    assert not look_at_backups(tmp_path / "backups", [], now_ns=at(20), ends_ns=ends).any_session


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"made_at": 5}', '{"made_at": "yesterday"}', '{"made_at": "2026-07-30T17:00:00"}']
)
def test_a_manifest_that_does_not_say_when_is_named(tmp_path: Path, content: str) -> None:
    manifest(tmp_path, "1", content)
    facts = look_at_backups(tmp_path, [], now_ns=at(20), ends_ns=closes({}))
    assert facts.made_at_ns is None
    assert "1/manifest.json does not say when" in (facts.problem or "")
    manifest(tmp_path, "2", '{"made_at": "2026-07-30T17:00:00+05:30"}')
    good = look_at_backups(tmp_path, [], now_ns=at(20), ends_ns=closes({}))
    assert (good.made_at_ns, good.problem) == (at(17, on=THURSDAY), None)
