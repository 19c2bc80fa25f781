"""Old runs go with their files and give room back; the last state of each partition stays, and what has not ended."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_platform.market.clock import Clock
from trading_platform.orchestration import run_retention
from trading_platform.orchestration.instance import prepare_dagster_home
from trading_platform.orchestration.run_retention import Pruned, folder_bytes, prune_runs

DAYS = dg.StaticPartitionsDefinition(["monday", "tuesday"])
KEEP = 30
LATER = timedelta(days=40)


@dg.asset(partitions_def=DAYS)
def bars(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Have a row."""
    return dg.MaterializeResult(metadata={"rows": 1})


@dg.asset
def plain() -> dg.MaterializeResult[None]:
    """Have no partitions."""
    return dg.MaterializeResult()


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def empty() -> None:
    nothing()


@dg.asset_check(asset=plain)
def fine() -> dg.AssetCheckResult:
    """Pass."""
    return dg.AssetCheckResult(passed=True)


@dataclass
class Made:
    """A home with two runs for each of three states; `gone` are those that another one replaced."""

    home: Path
    gone: list[str]
    kept: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = prepare_dagster_home(tmp_path_factory.mktemp("made"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        gone, kept = ([materialise(instance, partition) for partition in ("monday", "tuesday", None)] for _ in range(2))
    return Made(home, gone, kept)


@pytest.fixture
def home(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.home, tmp_path / "dagster"))


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def materialise(instance: dg.DagsterInstance, partition: str | None) -> str:
    wanted = [plain, fine] if partition is None else [bars]
    return dg.materialize(wanted, instance=instance, partition_key=partition).run_id


def prune(instance: dg.DagsterInstance, home: Path, *, later: timedelta = LATER, **options: bool) -> Pruned:
    return prune_runs(instance, home, keep_days=KEEP, now=Clock.wall().now() + later, **options)


def run_ids(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def files_of(home: Path, run_id: str) -> list[Path]:
    return [path for path in home.rglob("*") if run_id in path.as_posix()]


def test_the_last_state_of_each_partition_stays_and_all_else_goes_from_the_disk(
    made: Made, instance: dg.DagsterInstance, home: Path
) -> None:
    of_all = sum(path.stat().st_size for run_id in made.gone for path in files_of(home, run_id) if path.is_file())
    assert of_all > 3 * 100_000
    done = prune(instance, home)
    assert (done.deleted_runs, done.kept_runs, done.busy) == (3, 3, ())
    assert run_ids(instance) == set(made.kept)
    assert [files_of(home, run_id) for run_id in made.gone] == [[], [], []]
    assert all(files_of(home, run_id) for run_id in made.kept)
    # what the disk got back, as the disk tells it
    assert done.bytes_before - done.bytes_after >= 0.9 * of_all
    assert done.bytes_after == folder_bytes(home)
    assert instance.get_materialized_partitions(bars.key) == {"monday", "tuesday"}
    last = instance.get_latest_materialization_event(plain.key)
    assert last is not None
    assert last.run_id == made.kept[2]
    (verdict,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([fine.check_key]).values()
    assert verdict.run_id == made.kept[2]
    again = prune(instance, home)
    assert (again.deleted_runs, again.deleted_events, again.removed_leftovers, again.kept_runs) == (0, 0, 0, 3)


def test_what_has_not_ended_and_what_is_young_stays(made: Made, instance: dg.DagsterInstance, home: Path) -> None:
    resolved = dg.Definitions(jobs=[empty]).resolve_job_def("empty")
    unfinished = {
        instance.create_run_for_job(resolved, status=status).run_id
        for status in dg.DagsterRunStatus
        # a queued run needs a code location that it came from
        if status not in {*run_retention.FINISHED, dg.DagsterRunStatus.QUEUED}
    }
    assert len(unfinished) == 6
    assert prune(instance, home, later=timedelta(days=KEEP - 1)).deleted_runs == 0
    held = run_ids(instance)
    dry = prune(instance, home, dry_run=True)
    assert (dry.deleted_runs, dry.kept_runs, dry.bytes_before) == (3, 3, dry.bytes_after)
    assert run_ids(instance) == held
    assert prune(instance, home).deleted_runs == 3
    assert run_ids(instance) == unfinished | set(made.kept)


def test_files_of_runs_that_dagster_deleted_are_found(made: Made, instance: dg.DagsterInstance, home: Path) -> None:
    forgotten, kept = made.gone[0], made.gone[1]
    instance.delete_run(forgotten)
    left = files_of(home, forgotten)
    assert left
    for path in left:
        os.utime(path, (0, 0))
    done = prune(instance, home, later=timedelta(0))
    assert (done.removed_leftovers, done.deleted_runs) == (1, 0)
    assert files_of(home, forgotten) == []
    assert files_of(home, kept)


def test_room_of_deleted_rows_is_given_back_unless_somebody_reads(home: Path) -> None:
    index = home / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index)) as database:
        database.execute("CREATE TABLE bulk (content BLOB)")
        database.execute("INSERT INTO bulk VALUES (randomblob(3000000))")
        database.execute("DELETE FROM bulk")
        database.commit()
    large = index.stat().st_size
    assert run_retention._shrink(index)
    assert large - index.stat().st_size > 2_500_000


def test_a_database_in_use_keeps_its_size_and_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_retention, "_BUSY_SECONDS", 0.1)
    monkeypatch.setattr(run_retention, "_WORTH_BYTES", 0)
    index = home / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index, isolation_level=None)) as user:
        user.execute("BEGIN IMMEDIATE")
        assert not run_retention._shrink(index)
