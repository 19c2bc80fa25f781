"""The backup is asked for once for each recorded session, after its close, whatever hours that day has."""

from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.schedules import BACKUP_AFTER_CLOSE, closes_at, due_session
from trading_platform.settings import Settings

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
    keys = []
    for hour in (18, 19):
        with dg.build_schedule_context(scheduled_execution_time=at(FRIDAY, hour, 0), resources=journals) as context:
            (request,) = schedule.evaluate_tick(context).run_requests or ()
            keys.append(request.run_key)
    assert keys == [f"backup-{FRIDAY}"] * 2
    with dg.build_schedule_context(
        scheduled_execution_time=at(FRIDAY, 18, 0) + timedelta(days=30), resources=journals
    ) as context:
        assert "long over" in str(schedule.evaluate_tick(context).skip_message)
