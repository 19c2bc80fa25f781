"""The backup is asked for once for each recorded session, after its close, whatever hours that day has."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.day_times import closes_at, due_session
from trading_platform.orchestration.schedules import BACKUP_AFTER_CLOSE
from trading_platform.settings import Settings
from trading_platform_tests.orchestration.made_runs import ran

TABLE = load_session_table()
FRIDAY, THURSDAY = date(2026, 7, 31), date(2026, 7, 30)


def at(day: date, hour: int, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at(FRIDAY, 15, 0), THURSDAY),
        (at(FRIDAY, 18, 0), FRIDAY),
        (at(date(2026, 8, 2), 12, 0), FRIDAY),  # a Sunday
        (at(THURSDAY, 9, 0), None),
    ],
)
def test_the_newest_recorded_session_that_is_over_is_due(now: datetime, due: date | None) -> None:
    assert due_session(TABLE, [THURSDAY, FRIDAY], now, BACKUP_AFTER_CLOSE) == due


def test_an_evening_session_is_not_over_in_the_afternoon() -> None:
    # Muhurat trading of Diwali 2024, from 17:45 to 18:45 by the exchanges' circulars
    evening = date(2024, 11, 1)
    assert closes_at(TABLE, evening) > at(evening, 18, 44)
    assert due_session(TABLE, [evening], at(evening, 16, 30), BACKUP_AFTER_CLOSE) is None


def test_a_recorded_date_without_a_session_is_over_when_it_is() -> None:
    assert closes_at(TABLE, date(2026, 8, 2)) == at(date(2026, 8, 3), 0, 0)


def test_a_session_is_asked_for_once(tmp_path: Path) -> None:
    definitions = build_definitions(Settings(data_dir=tmp_path))
    (tmp_path / "journal" / "k1" / f"{FRIDAY:%Y%m%d}").mkdir(parents=True)
    schedule = definitions.resolve_schedule_def("backup_after_close")
    journals = {"journals": (definitions.resources or {})["journals"]}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:

        def tick(moment: datetime) -> Any:
            with dg.build_schedule_context(
                instance=instance, scheduled_execution_time=moment, resources=journals
            ) as context:
                return schedule.evaluate_tick(context)

        keys = [one.run_key for hour in (18, 19) for one in tick(at(FRIDAY, hour, 0)).run_requests or ()]
        assert keys == [f"backup-{FRIDAY}"] * 2
        assert "long over" in str(tick(at(FRIDAY, 18, 0) + timedelta(days=30)).skip_message)
        ran(instance, "close_day", FRIDAY, dg.DagsterRunStatus.FAILURE)
        assert tick(at(FRIDAY, 19, 0)).run_requests
        ran(instance, "close_day", FRIDAY, dg.DagsterRunStatus.STARTED)
        assert "close_day backs 2026-07-31 up" in str(tick(at(FRIDAY, 19, 0)).skip_message)
