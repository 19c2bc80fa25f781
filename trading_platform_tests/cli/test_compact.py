"""The command: files and bytes before and after for each table, and exit code 3 for one that is damaged."""

from datetime import date
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from trading_platform.cli.main import app
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import TABLES
from trading_platform_tests.storage.backup.place import write_rows


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path))
    made = Lake(tmp_path / "lake")
    for _ in range(2):
        write_rows(made, date(2026, 7, 30), 3)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compact", *arguments])


def test_each_table_is_told(lake: Lake) -> None:
    done = run("--json")
    assert done.exit_code == 0
    tables = {one["table"]: one for one in orjson.loads(done.stdout)["tables"]}
    assert set(tables) == set(TABLES)
    assert (tables["instruments"]["before"]["files"], tables["instruments"]["kept_files"]) == (2, 1)
    one = run("--table", "instruments", "--dry-run")
    assert one.exit_code == 0
    assert one.stdout.startswith("instruments: 2 files, ")
    assert len(one.stdout.splitlines()) == 1


def test_a_damaged_table_is_named_and_exits_3(lake: Lake) -> None:
    (Path(lake.root) / "instruments" / "_delta_log" / f"{1:020}.json").write_bytes(b"no json")
    done = run()
    assert done.exit_code == 3
    assert "instruments" in done.stderr
