import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from trading_platform.cli.rvol import register
from trading_platform.market.sessions import SessionClass, load_session_table

DAYS = load_session_table().sessions(SessionClass.NSE_CASH_FNO, date(2026, 7, 1), date(2026, 7, 30))[:12]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["rvol", *(str(one) for one in arguments)])


def bars() -> pl.DataFrame:
    random = np.random.default_rng(5)
    rows = [
        ("ABC", datetime(day.year, day.month, day.day, 9, 15) + timedelta(minutes=k), *[50.0] * 4, int(volume))
        for day in DAYS
        for k, volume in enumerate(random.integers(1, 500, 10))
    ]
    return pl.DataFrame(rows, schema=["symbol", "ts", "open", "high", "low", "close", "volume"], orient="row")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_fields_are_written_once_ten_sessions_are_known(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / "bars.parquet", tmp_path / "new" / f"out{suffix}"
    bars().write_parquet(source)
    result = run("--bars", source, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["known"] == 2 * (10 + 2)
    rows = pl.read_parquet(out) if suffix == ".parquet" else pl.read_csv(out)
    assert rows.height == 12 * (10 + 2)
    assert rows["rvol_cum"].count() == 24


def test_broken_rows_are_named_and_the_rest_is_written(tmp_path: Path) -> None:
    broken = bars().with_columns(volume=pl.when(pl.int_range(pl.len()) == 3).then(-1).otherwise("volume"))
    broken.write_parquet(tmp_path / "bars.parquet")
    result = run("--bars", tmp_path / "bars.parquet", "--out", tmp_path / "out.parquet")
    assert result.exit_code == 3
    assert "row 4: ABC" in result.output
    assert pl.read_parquet(tmp_path / "out.parquet").filter(pl.col("interval") == 1).height == 119


def test_a_split_of_the_users_table_counts(tmp_path: Path) -> None:
    bars().write_parquet(tmp_path / "bars.parquet")
    (tmp_path / "actions.csv").write_text(f"symbol,ex_date,kind,volume_factor,source\nABC,{DAYS[-1]},split,2,made up\n")
    last = pl.col("ts").dt.date() == DAYS[-1]
    found = []
    for more in ([], ["--actions", tmp_path / "actions.csv"]):
        assert run("--bars", tmp_path / "bars.parquet", "--out", tmp_path / "out.parquet", *more).exit_code == 0
        found.append(pl.read_parquet(tmp_path / "out.parquet").filter(last)["rvol_cum"].to_numpy())
    np.testing.assert_allclose(found[0] / 2, found[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--out", "out.txt"], "must end in .parquet or .csv"),
        (["--out", "out.csv", "--actions", "none.csv"], "none.csv cannot be read"),
        (["--out", "bars.parquet"], "choose another --out"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, more: list[str], words: str) -> None:
    bars().write_parquet(tmp_path / "bars.parquet")
    before = (tmp_path / "bars.parquet").read_bytes()
    result = run("--bars", "bars.parquet", *more)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert (tmp_path / "bars.parquet").read_bytes() == before
