"""The day's jobs are launched once for each session, by its own hours, around weekends, holidays and downtimes."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.market.clock import IST
from trading_platform.settings import Settings
from trading_platform_tests.orchestration.made_runs import ran

THURSDAY, FRIDAY, MONDAY = date(2026, 7, 30), date(2026, 7, 31), date(2026, 8, 3)
FAILURE, SUCCESS, STARTED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


class Rig:
    """Schedules over a data folder and an instance."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        self._made = build_definitions(Settings(data_dir=folder))

    def clear(self) -> None:
        for name in ("dumps", "journal"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for run in self.instance.get_runs():
            self.instance.delete_run(run.run_id)

    def dump(self, *days: date) -> None:
        (self.folder / "dumps").mkdir(exist_ok=True)
        for day in days:
            (self.folder / "dumps" / f"instruments_{day:%Y%m%d}.csv").touch()

    def record(self, *days: date) -> None:
        for day in days:
            (self.folder / "journal" / "k1" / f"{day:%Y%m%d}").mkdir(parents=True)

    def tick(self, name: str, now: datetime) -> Any:
        resources = {one: (self._made.resources or {})[one] for one in ("journals", "kite")}
        schedule = self._made.resolve_schedule_def(name)
        needed = {one: resources[one] for one in schedule.required_resource_keys}
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=now,
            resources=needed,
            repository_def=self._made.get_repository_def(),
        ) as context:
            return schedule.evaluate_tick(context)

    def prepares(self, now: datetime) -> list[str | None]:
        return [one.run_key for one in self.tick("prepare_day_before_open", now).run_requests or ()]

    def closes(self, now: datetime) -> list[str | None]:
        return [one.run_key for one in self.tick("close_day_after_close", now).run_requests or ()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as instance:
        yield Rig(tmp_path_factory.mktemp("data"), instance)


@pytest.fixture
def rig(made: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.chdir(tmp_path)
    for name in ("TP_KITE_API_KEY", "TP_KITE_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made.clear()
    return made


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (at(FRIDAY, 7, 55), None),
        (at(FRIDAY, 8, 0), FRIDAY),
        (at(FRIDAY, 11, 0), FRIDAY),  # the daemon was down at eight
        (at(FRIDAY, 20, 0), None),
        (at(date(2026, 8, 1), 8, 30), None),  # a Saturday
        (at(MONDAY, 8, 30), MONDAY),
        (at(date(2026, 1, 26), 8, 30), None),  # Republic Day
        (at(date(2026, 1, 27), 8, 30), date(2026, 1, 27)),
        (at(date(2025, 2, 1), 8, 30), date(2025, 2, 1)),  # the budget session on a Saturday
        (at(date(2024, 11, 1), 8, 30), None),  # muhurat trading is in the evening
        (at(date(2024, 11, 1), 16, 45), date(2024, 11, 1)),
    ],
)
def test_a_session_is_prepared_from_an_hour_before_its_first_phase(
    rig: Rig, now: datetime, session: date | None
) -> None:
    rig.dump(*(day for day in [session] if day))
    assert rig.prepares(now) == ([] if session is None else [f"prepare-{session}"])


def test_the_session_is_the_partition_of_its_run(rig: Rig) -> None:
    rig.dump(FRIDAY)
    (request,) = rig.tick("prepare_day_before_open", at(FRIDAY, 8, 0)).run_requests
    assert request.partition_key == str(FRIDAY)


def test_without_a_dump_or_a_login_it_waits_and_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "log in" in str(rig.tick("prepare_day_before_open", at(FRIDAY, 8, 30)).skip_message)
    monkeypatch.setenv("TP_KITE_API_KEY", "key")
    monkeypatch.setenv("TP_KITE_ACCESS_TOKEN", "any")
    assert rig.prepares(at(FRIDAY, 8, 35)) == [f"prepare-{FRIDAY}"]


@pytest.mark.parametrize("status", [SUCCESS, STARTED])
def test_what_is_prepared_or_being_prepared_is_not_asked_for_again(rig: Rig, status: dg.DagsterRunStatus) -> None:
    rig.dump(FRIDAY)
    ran(rig.instance, "prepare_day", FRIDAY, status)
    assert rig.prepares(at(FRIDAY, 8, 30)) == []
    rig.dump(MONDAY)
    assert rig.prepares(at(MONDAY, 8, 30)) == [f"prepare-{MONDAY}"]


def test_a_failed_morning_is_tried_again_until_the_open(rig: Rig) -> None:
    rig.dump(FRIDAY)
    ran(rig.instance, "prepare_day", FRIDAY, FAILURE)
    assert rig.prepares(at(FRIDAY, 8, 10)) == []
    assert rig.prepares(at(FRIDAY, 8, 15)) == [f"prepare-{FRIDAY}-2"]
    ran(rig.instance, "prepare_day", FRIDAY, FAILURE)
    assert rig.prepares(at(FRIDAY, 8, 20)) == []
    assert rig.prepares(at(FRIDAY, 8, 30)) == [f"prepare-{FRIDAY}-3"]
    assert "failed 2 times" in str(rig.tick("prepare_day_before_open", at(FRIDAY, 9, 5)).skip_message)


@pytest.mark.parametrize(
    ("now", "sessions"),
    [
        (at(FRIDAY, 15, 0), [THURSDAY]),
        (at(FRIDAY, 18, 0), [THURSDAY, FRIDAY]),  # yesterday's was missed
        (at(date(2026, 8, 2), 12, 0), [THURSDAY, FRIDAY]),  # up again on a Sunday
        (at(date(2026, 8, 20), 12, 0), []),  # long over
    ],
)
def test_recorded_sessions_are_closed_when_they_are_over(rig: Rig, now: datetime, sessions: list[date]) -> None:
    rig.record(THURSDAY, FRIDAY)
    assert rig.closes(now) == [f"close-{day}" for day in sessions]


def test_a_session_is_closed_once_even_if_that_failed(rig: Rig) -> None:
    rig.record(THURSDAY, FRIDAY)
    ran(rig.instance, "close_day", THURSDAY, FAILURE)
    assert rig.closes(at(FRIDAY, 18, 0)) == [f"close-{FRIDAY}"]
    ran(rig.instance, "close_day", FRIDAY, STARTED)
    assert rig.closes(at(FRIDAY, 18, 5)) == []


def test_it_waits_for_a_pattern_run_on_the_same_tables(rig: Rig) -> None:
    rig.record(FRIDAY)
    ran(rig.instance, "run_patterns", FRIDAY, STARTED)
    assert "pattern run" in str(rig.tick("close_day_after_close", at(FRIDAY, 18, 0)).skip_message)


def test_an_evening_session_is_closed_in_the_evening(rig: Rig) -> None:
    muhurat = date(2024, 11, 1)
    rig.record(muhurat)
    assert rig.closes(at(muhurat, 16, 30)) == []
    assert rig.closes(at(muhurat, 20, 30)) == [f"close-{muhurat}"]
