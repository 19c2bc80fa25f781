"""One job works a session up from its journal; what fails is named, and the backup is made all the same."""

from pathlib import Path

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.orchestration import job_close_day
from trading_platform.orchestration.job_close_day import NAME
from trading_platform.settings import Settings
from trading_platform.storage.journal_writer import JournalWriter
from trading_platform.storage.lake import Lake
from trading_platform_tests.calc.feeding import CASH, DAY, Feeding, at, tick
from trading_platform_tests.orchestration.fakes import FakeJournals, FakeStore, fake_redis
from trading_platform_tests.orchestration.made_runs import ran
from trading_platform_tests.orchestration.world import reason

OPEN, SECONDS = at("09:15:00"), 400


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    feeding = Feeding().opened()
    for second in range(0, SECONDS, 10):
        feeding.frame(OPEN + second + 0.3, tick(CASH, 100.0, second, OPEN + second))
    feeding.closed(OPEN + SECONDS)
    folder = tmp_path / "journal"
    with JournalWriter.open(folder, "k1", DAY) as writer:
        writer.append_encoded(feeding.batch())
        writer.flush()
    for sha256, content in feeding.blobs.items():
        path = folder / "k1" / f"{DAY:%Y%m%d}" / "blobs" / sha256
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def close(
    folder: Path, instance: dg.DagsterInstance, *, session: str = str(DAY), **replaced: object
) -> dg.ExecuteInProcessResult:
    made = build_definitions(Settings(data_dir=folder), redis_manager=fake_redis(FakeStore()), **replaced)
    config = {"ops": {"close": {"config": {"session": session, "wait_seconds": 0}}}}
    return made.resolve_job_def(NAME).execute_in_process(instance=instance, run_config=config, raise_on_error=False)


@pytest.fixture
def backups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    made: list[int] = []
    monkeypatch.setattr(job_close_day, "_back_up", lambda *_: made.append(1))
    return made


def test_a_recorded_session_is_worked_up_and_backed_up(recorded: Path, backups: list[int]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert close(recorded, instance, session="").success
    lake = Lake(recorded / "lake")
    assert lake.counts("ticks") == {DAY: SECONDS // 10}
    assert lake.sessions("minute_bars") == lake.sessions("indicator_snapshots") == [DAY]
    profile = lake.read_sessions("volume_profiles", [DAY]).row(0, named=True)
    assert (profile["method"], profile["poc"], profile["volume"]) == ("ticks", 100.0, SECONDS - 10)
    assert backups == [1]


def test_what_fails_is_named_and_the_backup_is_made(tmp_path: Path, backups: list[int]) -> None:
    journals = FakeJournals(root="", shard="k1")
    with dg.DagsterInstance.ephemeral() as instance:
        told = reason(close(tmp_path, instance, journals=journals))
    assert f"ticks: ticks: shard k1 has no journal of {DAY}" in told.replace(
        "trading_platform.errors.MissingInput: ", ""
    )
    assert "bars, snapshots and patterns: " in told
    assert backups == [1]


def test_it_says_when_a_pattern_run_did_not_end(recorded: Path, backups: list[int]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ran(instance, "run_patterns", DAY, dg.DagsterRunStatus.STARTED)
        assert "run_patterns has not ended" in reason(close(recorded, instance))
    assert backups == [1]


def test_nothing_recorded_is_named(tmp_path: Path, backups: list[int]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert "no recorded session of shard k1 is over" in reason(close(tmp_path, instance, session=""))
    assert backups == []
