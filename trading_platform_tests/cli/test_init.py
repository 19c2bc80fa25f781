"""A new data folder becomes one that Dagster's own programs work on; a second time changes nothing."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trading_platform.cli.main import app
from trading_platform.errors import PlatformError
from trading_platform.wire.lake_tables import TABLES


def test_a_new_folder_is_made_ready_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "my data"
    monkeypatch.setenv("TP_DATA_DIR", str(data))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    done = CliRunner().invoke(app, ["init"])
    assert done.exit_code == 0, done.output
    told = subprocess.run(
        ["bash", "-c", f"{done.stdout}\necho $DAGSTER_HOME; echo $TP_DATA_DIR"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines() == [str(data / "dagster"), str(data)]
    assert (data / "dagster" / "dagster.yaml").exists()
    assert {one.name for one in (data / "lake").iterdir() if (one / "_delta_log").is_dir()} == set(TABLES)
    stood = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}
    again = CliRunner().invoke(app, ["init"])
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()} == stood


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path / "file" / "data"))
    done = CliRunner().invoke(app, ["init"])
    assert isinstance(done.exception, PlatformError)
    assert str(tmp_path / "file") in str(done.exception)
