import pytest

from trading_platform.health.checks_host import (
    BackupFacts,
    DaemonFacts,
    DiskFacts,
    check_backup,
    check_dagster,
    check_disk,
)
from trading_platform.health.findings import Level
from trading_platform.health.market_hours import MarketHours
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform_tests.health.made import CLOSED, OPEN, at

GREEN, DEGRADED, RED = Level
GIB = 1024**3


def test_a_journal_is_forecast_to_the_close_by_how_it_grew() -> None:
    assert OPEN.ends_ns is not None
    left = (OPEN.ends_ns - OPEN.now_ns) / NS_PER_SECOND
    hour = DiskFacts(100 * GIB, 200 * GIB, session_bytes=GIB, grown_in_seconds=3600.0)
    found = check_disk(hour, OPEN)
    whole = GIB * (1 + left / 3600)
    assert found.level is GREEN
    assert found.figures["session_forecast_bytes"] == pytest.approx(whole)
    assert found.figures["sessions_left"] == pytest.approx((100 * GIB - (whole - GIB)) / whole)


@pytest.mark.parametrize(
    ("free_gib", "hours", "level"),
    [
        (61, OPEN, GREEN),
        (30, OPEN, DEGRADED),
        (9, OPEN, RED),
        (51, CLOSED, GREEN),
        (49, CLOSED, DEGRADED),
        (0.4, CLOSED, RED),
    ],
)
def test_room_is_judged_by_sessions(free_gib: float, hours: MarketHours, level: Level) -> None:
    # the largest of the last sessions took 10 GiB; today's has 1 so far, with 9 to come
    disk = DiskFacts(int(free_gib * GIB), 200 * GIB, session_bytes=GIB, past_session_bytes=10 * GIB)
    if hours is CLOSED:
        disk = DiskFacts(int(free_gib * GIB), 200 * GIB, past_session_bytes=10 * GIB)
    found = check_disk(disk, hours)
    assert found.level is level
    assert (found.advice is None) == (level is GREEN)


def test_without_any_session_there_is_no_forecast() -> None:
    assert [check_disk(DiskFacts(GIB, 2 * GIB), hours).level for hours in (OPEN, CLOSED)] == [DEGRADED, GREEN]
    assert check_disk(DiskFacts(GIB // 4, 2 * GIB), CLOSED).level is RED
    assert check_disk(DiskFacts(GIB, 2 * GIB), OPEN).figures["sessions_left"] is None


@pytest.mark.parametrize(
    ("daemons", "level", "says"),
    [
        (DaemonFacts(asked=False), GREEN, "not run from here"),
        (DaemonFacts(asked=True, problem="no folder"), DEGRADED, "not known: no folder"),
        (DaemonFacts(asked=True, heartbeat_ages={"SENSOR": 20.0, "SCHEDULER": 149.0}), GREEN, "2 daemons beat"),
        (DaemonFacts(asked=True, heartbeat_ages={"SENSOR": 20.0, "SCHEDULER": 151.0}), DEGRADED, "of SCHEDULER:"),
        (DaemonFacts(asked=True, heartbeat_ages={"SENSOR": None}), DEGRADED, "no heartbeat of SENSOR"),
    ],
)
def test_daemons_have_to_beat(daemons: DaemonFacts, level: Level, says: str) -> None:
    found = check_dagster(daemons)
    assert found.level is level
    assert says in found.says


@pytest.mark.parametrize(
    ("backup", "level", "says"),
    [
        (BackupFacts(None, 0, any_session=False), GREEN, "nothing was recorded yet"),
        (BackupFacts(None, 2, any_session=True), DEGRADED, "no backup yet"),
        (BackupFacts(at(9), 0, any_session=True), GREEN, "made 09:00"),
        (BackupFacts(at(9), 1, any_session=True), DEGRADED, "1 sessions ended since"),
        (BackupFacts(at(9), 3, any_session=True), RED, "3 sessions ended since"),
        (BackupFacts(None, 2, any_session=True, problem="20260730: half"), DEGRADED, "no good backup: 20260730: half"),
        (BackupFacts(None, 3, any_session=True), RED, "no backup yet"),
    ],
)
def test_a_backup_has_to_hold_what_was_recorded(backup: BackupFacts, level: Level, says: str) -> None:
    found = check_backup(backup, OPEN)
    assert found.level is level
    assert says in found.says
    assert found.figures["age_seconds"] == (None if backup.made_at_ns is None else 3600)
