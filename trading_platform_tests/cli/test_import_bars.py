"""Bars of files and of the synthetic market reach the lake with their dumps."""

import json
from datetime import date
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from trading_platform.cli import import_bars
from trading_platform.errors import BadFileError, NoSessionError
from trading_platform.storage.lake import Lake

HEADER = "symbol,ts,open,high,low,close,volume\n"
GOOD = "INFY,2026-07-30 09:15:00,10,11,9,10.5,100\nNIFTY 50,2026-07-30 09:15:00,10,11,9,10.5,0\n"


def run(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> Result:
    monkeypatch.setenv("TP_DATA_DIR", str(data))
    app = typer.Typer()
    import_bars.register(app)
    return CliRunner().invoke(app, list(arguments))


def test_a_file_is_imported_with_its_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + GOOD)
    result = run(monkeypatch, tmp_path, str(file))
    assert result.exit_code == 0, result.output
    rows = Lake(tmp_path / "lake").read_sessions("imported_bars", [date(2026, 7, 30)]).sort("symbol")
    assert rows.select("symbol", "volume", "source").rows() == [("INFY", 100, "file"), ("NIFTY 50", None, "file")]
    assert "NIFTY 50" in (tmp_path / "dumps" / "instruments_20260730.csv").read_text()


def test_broken_rows_are_counted_and_the_rest_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + GOOD + "INFY,2026-07-30 09:16:00,10,9,11,10,5\n")
    result = run(monkeypatch, tmp_path, str(file))
    assert result.exit_code == 3
    assert "1 rows set aside (high is below low: 1)" in result.stderr
    assert "bars.csv row 3: INFY" in result.stderr
    assert "taken for indices (known by name): NIFTY 50" in result.stderr
    assert Lake(tmp_path / "lake").read_sessions("imported_bars", [date(2026, 7, 30)]).height == 2


def test_synthetic_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, tmp_path, "--synthetic", "--sessions", "2", "--until", "2026-07-30", "--names", "3")
    assert result.exit_code == 0, result.output
    lake = Lake(tmp_path / "lake")
    assert lake.sessions("imported_bars") == [date(2026, 7, 29), date(2026, 7, 30)]
    assert set(lake.read_sessions("imported_bars", [date(2026, 7, 30)])["source"]) == {"synthetic"}
    assert (tmp_path / "dumps" / "instruments_20260729.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), BadFileError),
        (("--synthetic",), BadFileError),
        (("--synthetic", "--until", "2026-07-26"), NoSessionError),
        (("nowhere.csv",), BadFileError),
        (("header.csv",), BadFileError),
    ],
)
def test_what_cannot_be_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("header.csv").write_text(HEADER)
    assert isinstance(run(monkeypatch, tmp_path, *arguments).exception, error)


def test_a_machine_reads_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + GOOD + "INFY,2026-07-30 09:16:00,10,9,11,10,5\n")
    result = run(monkeypatch, tmp_path, str(file), "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {"source": "file", "bars": {"2026-07-30": 2}, "rejected_rows": 1}
