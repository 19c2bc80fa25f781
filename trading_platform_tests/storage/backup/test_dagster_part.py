"""Dagster's configuration is left out where it may hold a password; what is no database is named."""

from pathlib import Path

import pytest

from trading_platform.errors import BackupError
from trading_platform.storage.backup.dagster_part import check_database, store_dagster
from trading_platform.storage.backup.layout import BackupWriter
from trading_platform_tests.storage.backup.place import write_dagster


def store(tmp_path: Path, configuration: str) -> tuple[BackupWriter, list[str]]:
    write_dagster(tmp_path / "home")
    (tmp_path / "home" / "dagster.yaml").write_text(configuration)
    writer, notes = BackupWriter(tmp_path / "backup"), list[str]()
    assert store_dagster(tmp_path / "home", writer, notes) == 1
    return writer, notes


@pytest.mark.parametrize(
    "configuration",
    [
        "storage:\n  postgres:\n    postgres_db:\n      password: hunter2\n",
        "storage:\n  x: postgresql://me:hunter2@host/db\n",
        "storage:\n  postgres:\n    postgres_db:\n      password:\n        hunter2\n",
    ],
)
def test_a_configuration_with_a_password_is_left_out_and_it_is_said(tmp_path: Path, configuration: str) -> None:
    writer, notes = store(tmp_path, configuration)
    assert "dagster/dagster.yaml" not in writer.files
    assert any("may hold a password" in note for note in notes)
    assert any("storage of its own" in note for note in notes)


@pytest.mark.parametrize("password", ["{env: WORD}", "\n        env: WORD"])
def test_the_name_of_a_variable_is_no_password(tmp_path: Path, password: str) -> None:
    writer, notes = store(tmp_path, f"storage:\n  postgres:\n    postgres_db:\n      password: {password}\n")
    assert "dagster/dagster.yaml" in writer.files
    assert [note for note in notes if "may hold a password" in note] == []


def test_a_plain_configuration_is_kept(tmp_path: Path) -> None:
    writer, notes = store(tmp_path, "telemetry:\n  enabled: false\n")
    assert set(writer.files) == {"dagster/dagster.yaml", "dagster/history/runs.db"}
    assert notes == []


def test_a_home_that_is_not_there_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    assert store_dagster(tmp_path / "none", BackupWriter(tmp_path / "backup"), notes) == 0
    assert notes == [f"there is no Dagster home at {tmp_path / 'none'}"]


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    write_dagster(tmp_path / "home")
    (tmp_path / "home" / "bad.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(BackupError, match=r"bad\.db cannot be copied"):
        store_dagster(tmp_path / "home", BackupWriter(tmp_path / "backup"), [])
    assert "bad.db" in str(check_database(tmp_path / "home" / "bad.db"))
    assert check_database(tmp_path / "home" / "history" / "runs.db") is None
