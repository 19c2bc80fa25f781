"""The check judges the newest good backup by the sessions that were recorded since."""

from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.check_backup import judge
from trading_platform.storage.backup.make import make_backup
from trading_platform.storage.backup.sources import Sources

TABLE = load_session_table()
WEEK = [date(2026, 7, day) for day in (27, 28, 29, 30, 31)]
MADE = datetime(2026, 7, 29, 19, 0, tzinfo=IST)


def back_up(root: Path, moment: datetime = MADE) -> Path:
    nothing = root.parent / "nothing"
    return make_backup(Sources(nothing, nothing, {}, nothing, None, {}, ()), root, moment)[0]


@pytest.mark.parametrize(
    ("recorded", "days_later", "passed", "severity"),
    [
        (WEEK[:3], 0, True, "WARN"),
        (WEEK[:4], 0, True, "WARN"),  # that session is not over yet
        (WEEK[:4], 2, False, "WARN"),
        ([*WEEK, date(2026, 8, 3)], 6, False, "ERROR"),
        (WEEK[:3], 8, False, "WARN"),  # too old, though nothing was recorded since
    ],
)
def test_the_sessions_since_decide(
    tmp_path: Path, recorded: list[date], days_later: int, passed: bool, severity: str
) -> None:
    back_up(tmp_path / "backups")
    result = judge(tmp_path / "backups", recorded, MADE + timedelta(days=days_later), TABLE)
    assert (result.passed, result.severity.value) == (passed, severity)
    assert result.metadata["age_hours"].value == days_later * 24.0


def test_half_a_backup_does_not_count_and_is_named(tmp_path: Path) -> None:
    whole = back_up(tmp_path / "backups")
    whole.rename(whole.with_name(f"{whole.name}.unfinished"))
    result = judge(tmp_path / "backups", WEEK[:3], MADE + timedelta(days=1), TABLE)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "half" in str(result.metadata["no_backups"].value)
    assert result.metadata["good_backups"].value == 0


def test_with_nothing_recorded_there_is_nothing_to_lose(tmp_path: Path) -> None:
    assert judge(tmp_path / "none", [], MADE, TABLE).passed
