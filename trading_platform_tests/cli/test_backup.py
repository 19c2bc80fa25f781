"""The commands, as a user types them: their exit codes, and what they name."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from trading_platform.cli.main import app
from trading_platform.errors import HalfBackup
from trading_platform.storage.journal import JournalWriter
from trading_platform_tests.session_data import SESSION, SHARD, make_session


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with JournalWriter.open(tmp_path / "data" / "journal", SHARD, SESSION) as writer:
        make_session(3, minutes=2).write_to(writer)
    return tmp_path / "data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_backup_there_and_back(data: Path, tmp_path: Path) -> None:
    made = run("backup", "run", "--without-redis", "--json")
    facts = orjson.loads(made.stdout)
    assert (made.exit_code, facts["faults"]) == (0, [])
    name = Path(facts["backup"]).name
    assert run("backup", "verify", name).exit_code == 0
    listed = run("backup", "list")
    assert listed.exit_code == 0
    assert name in listed.stdout
    back = run("restore", name, "--into", str(tmp_path / "into"))
    assert back.exit_code == 0
    assert f"journal {SHARD}/{SESSION}" in back.stdout
    assert back.stdout.splitlines()[-1].endswith("same")
    assert isinstance(run("restore", name, "--into", str(tmp_path / "into")).exception, Exception)


def test_damage_exits_3_and_is_named(data: Path) -> None:
    made = orjson.loads(run("backup", "run", "--without-redis", "--json").stdout)
    victim = next(Path(made["backup"]).rglob("*.journal.zst"))
    victim.write_bytes(victim.read_bytes()[:-1])
    verified = run("backup", "verify", made["backup"])
    assert verified.exit_code == 3
    assert victim.name in verified.stderr
    assert run("backup", "list").exit_code == 3


def test_half_a_backup_is_listed_as_none_and_pruned(data: Path) -> None:
    half = data / "backups" / "20260820-190000.unfinished"
    half.mkdir(parents=True)
    listed = run("backup", "list")
    assert (listed.exit_code, "half: it was never finished" in listed.stdout) == (3, True)
    assert isinstance(run("backup", "verify", half.name).exception, HalfBackup)
    assert run("backup", "prune").exit_code == 0
    assert not half.exists()
    assert run("backup", "prune").stdout == "nothing to remove\n"


def test_without_a_command_it_makes_a_backup(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a server that is not there: named, and nothing is left
    monkeypatch.setenv("TP_REDIS_URL", f"unix://{data}/no.sock")
    done = run("backup")
    assert "no.sock" in str(done.exception)
    assert run("backup", "list").stdout == "there is no backup\n"
