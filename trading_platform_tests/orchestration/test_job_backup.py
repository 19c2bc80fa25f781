"""The jobs do what the commands do, from typed configuration, and fail with the reason."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.orchestration.job_backup import BackupConfig, RestoreConfig
from trading_platform.settings import BackupKeep, Settings
from trading_platform.storage.backup.catalogue import list_backups
from trading_platform.storage.journal import JournalWriter
from trading_platform_tests.orchestration.world import reason
from trading_platform_tests.session_data import SESSION, SHARD, make_session


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with JournalWriter.open(tmp_path / "data" / "journal", SHARD, SESSION) as writer:
        make_session(3, minutes=2).write_to(writer)
    return tmp_path / "data"


def run(data: Path, job: str, op: str, **config: Any) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(Settings(data_dir=data, backup_keep=BackupKeep(days=1, weeks=0)))
    run_config = {"ops": {op: {"config": config}}}
    return definitions.resolve_job_def(job).execute_in_process(run_config=run_config, raise_on_error=False)


def test_a_backup_there_and_back(data: Path, tmp_path: Path) -> None:
    (data / "backups" / "old.unfinished").mkdir(parents=True)
    assert run(data, "backup_data", "back_up", without_redis=True).success
    (made,) = list_backups(data / "backups")
    assert made.is_good
    into = tmp_path / "into"
    assert run(data, "restore_data", "put_back", backup=made.folder.name, into=str(into)).success
    assert (into / "journal" / SHARD).is_dir()
    again = run(data, "restore_data", "put_back", backup=made.folder.name, into=str(into))
    assert "is not empty" in reason(again)


def test_damage_in_what_was_backed_up_fails_the_run_and_the_backup_stands(data: Path) -> None:
    segment = next((data / "journal").rglob("*.zst"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    result = run(data, "backup_data", "back_up", without_redis=True)
    assert "the backup was made, but: journal k1" in reason(result)
    assert [one.is_good for one in list_backups(data / "backups")] == [True]


def test_every_field_says_what_it_is() -> None:
    for config in (BackupConfig, RestoreConfig):
        assert all(field.description for field in config.model_fields.values())
