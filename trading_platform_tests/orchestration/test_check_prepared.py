"""What the next open needs and is not there is named; it is an error when there is little time left."""

from datetime import date, datetime

import dagster as dg
import pytest

from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.check_prepared import judge, prepared_check_schedule
from trading_platform_tests.orchestration.world import World

TABLE = load_session_table()
SESSION, NEXT = date(2026, 7, 30), date(2026, 7, 31)
TABLES = ("instruments", "subscription_universe", "volume_baselines", "indicator_seeds")


def at(hour: int, minute: int, day: int = 30) -> datetime:
    return datetime(2026, 7, day, hour, minute, tzinfo=IST)


def test_all_tables_of_the_session_make_it_prepared() -> None:
    found = judge({name: {SESSION: 5} for name in TABLES}, at(8, 30), TABLE)
    assert found.passed
    assert "2026-07-30" in str(found.metadata["says"].value)
    assert found.metadata["rows_of_indicator_seeds"].value == 5


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("now", "severity"), [(at(8, 30), "WARN"), (at(8, 50), "ERROR"), (at(11, 0), "ERROR"), (at(20, 0, 29), "WARN")]
)
def test_what_is_missing_is_named(name: str, now: datetime, severity: str) -> None:
    held = {other: {SESSION: 5} for other in TABLES if other != name} | {name: {date(2026, 7, 29): 5}}
    found = judge(held, now, TABLE)
    assert not found.passed
    assert found.severity.value == severity
    assert f"lacks {name}" in str(found.metadata["says"].value)
    assert "prepare_day" in str(found.metadata["what_to_do"].value)


def test_after_the_close_the_next_session_counts() -> None:
    found = judge({name: {SESSION: 5} for name in TABLES}, at(20, 0), TABLE)
    assert not found.passed
    assert found.metadata["session"].value == str(NEXT)


def test_a_calendar_that_ends_is_no_green() -> None:
    assert not judge({}, datetime(2090, 1, 2, 8, 0, tzinfo=IST), TABLE).passed


@pytest.mark.parametrize(
    ("now", "looks"),
    [(at(8, 10), False), (at(8, 20), True), (at(9, 0), True), (at(9, 10), False), (at(8, 40, 26), False)],
)
def test_it_is_looked_at_shortly_before_the_open_of_a_session(now: datetime, looks: bool) -> None:
    context = dg.build_schedule_context(scheduled_execution_time=now)
    asked = prepared_check_schedule().evaluate_tick(context)
    assert bool(asked.run_requests) is looks


def test_the_job_looks_into_the_lake(world: World) -> None:
    result = world.run("check_prepared")
    (found,) = result.get_asset_check_evaluations()
    assert not found.passed
    assert {found.metadata[f"rows_of_{name}"].value for name in TABLES} == {0}
