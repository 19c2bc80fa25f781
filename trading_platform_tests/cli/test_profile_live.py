"""The profile of a recorded session as the command tells it, and what it refuses to tell."""

import json
from pathlib import Path

import polars as pl
import pytest

from trading_platform.storage.journal import JournalWriter
from trading_platform_tests.cli.test_profile import run
from trading_platform_tests.session_data import SESSION, SHARD, make_session


def test_a_recorded_session_tells_how_its_profile_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path))
    with JournalWriter.open(tmp_path / "journal", SHARD, SESSION) as writer:
        make_session(3, minutes=5).write_to(writer)
    result = run("--symbol", "NAME1", "--session", SESSION, "--out", tmp_path / "out.csv", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["symbol"], told["session"], told["reason"]) == ("NAME1", str(SESSION), None)
    rows = pl.read_csv(tmp_path / "out.csv")
    assert rows.height == told["rows"] > 1
    assert {name: rows[name][-1] for name in ("poc", "val", "vah")} == {
        name: told[name] for name in ("poc", "val", "vah")
    }
    assert f"POC {told['poc']:g}, value area {told['val']:g} to {told['vah']:g}" in run("--symbol", "NAME1").stdout
    assert "no profile, an index has no volume" in run("--symbol", "256265").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--symbol", "NAME1"), "has no journal at all"),
        (("--symbol", "NAME1", "--out", "rows.xls"), "must end in"),
        (("--symbol", "NAME1", "--bars", "a.csv", "--out", "b.csv"), "or --symbol"),
        (("--symbol", "NAME1", "--tick-size", "1"), "or --symbol"),
        (("--out", "b.csv"), "name --bars"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path))
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
