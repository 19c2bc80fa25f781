"""The command prunes the home that DAGSTER_HOME names, else that of the data folder, in a process of its own."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from trading_platform.cli.main import app
from trading_platform.errors import ChildFailed, SettingsError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prune-runs", *arguments])


def home(folder: Path, content: str = "telemetry:\n  enabled: false\n") -> Path:
    folder.mkdir()
    (folder / "dagster.yaml").write_text(content)
    return folder


def test_the_home_of_the_data_folder_is_pruned(data: Path) -> None:
    made = home(data / "dagster")
    done = run("--json")
    assert done.exit_code == 0
    facts = orjson.loads(done.stdout)
    assert (facts["dry_run"], facts["deleted_runs"], facts["busy"]) == (False, 0, [])
    assert (made / "history" / "runs.db").is_file()


def test_without_a_home_nothing_is_made(data: Path) -> None:
    assert isinstance(run().exception, SettingsError)
    assert not (data / "dagster").exists()


def test_a_home_that_does_not_open_says_why(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home(tmp_path / "other", "nonsense: true\n")))
    failed = run("--dry-run").exception
    assert isinstance(failed, ChildFailed)
    assert "were not pruned" in str(failed)


def test_fewer_days_than_schedules_bear_are_refused(data: Path) -> None:
    assert run("--keep-days", "6").exit_code == 2
