"""The lake is compacted once a week-end, on a day without a session; runs are pruned once a day."""

from datetime import datetime

import dagster as dg
import pytest

from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.schedules_guard import compact_schedule, due_compaction, prune_schedule

TABLE = load_session_table()


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def tidy() -> None:
    nothing()


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 11, tzinfo=IST)


def test_saturday_and_sunday_ask_for_the_same_run() -> None:
    asked = [due_compaction(TABLE, noon(2026, 8, day)) for day in (1, 2, 8)]
    assert [one.run_key for one in asked if isinstance(one, dg.RunRequest)] == [
        "compact-2026-08-01",
        "compact-2026-08-01",
        "compact-2026-08-08",
    ]


def test_a_saturday_with_a_session_leaves_it_to_sunday() -> None:
    # special live trading on Saturday 2024-05-18, by the exchanges' circulars
    saturday = due_compaction(TABLE, noon(2024, 5, 18))
    assert isinstance(saturday, dg.SkipReason)
    assert "has a session" in str(saturday.skip_message)
    sunday = due_compaction(TABLE, noon(2024, 5, 19))
    assert isinstance(sunday, dg.RunRequest)
    assert sunday.run_key == "compact-2024-05-18"


def test_a_day_that_the_table_does_not_know_is_skipped() -> None:
    assert "not known" in str(due_compaction(TABLE, noon(2035, 6, 2)))


@pytest.mark.parametrize(
    ("made", "key"), [(compact_schedule, "compact-2026-08-01"), (prune_schedule, "prune-2026-08-01")]
)
def test_schedules_run_by_default_in_ist(made: type, key: str) -> None:
    schedule = made(tidy)
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.execution_timezone == "Asia/Kolkata"
    with dg.build_schedule_context(scheduled_execution_time=noon(2026, 8, 1)) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.run_key == key
