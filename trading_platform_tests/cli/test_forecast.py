from pathlib import Path

import numpy as np
import orjson
import polars as pl
from typer.testing import CliRunner, Result

from trading_platform.cli.main import app
from trading_platform_tests.calc.volume.made import made_volumes


def _volumes(path: Path, first: int = 0) -> Path:
    volume = made_volumes(2, 16, 4)
    volume[1, :first] = np.nan
    row, session, bin_ = np.nonzero(~np.isnan(volume))
    columns = {
        "symbol": np.array(["A", "B"])[row],
        "session": session,
        "bin": bin_,
        "volume": volume[row, session, bin_],
    }
    pl.DataFrame(columns).write_parquet(path / "volumes.parquet")
    return path / "volumes.parquet"


def _forecast(volume: Path, *more: str) -> Result:
    report = volume.parent / "report.json"
    return CliRunner().invoke(app, ["forecast", "--volume", str(volume), "--report", str(report), *more])


def test_all_models_are_scored_and_every_forecast_is_written(tmp_path: Path) -> None:
    out = tmp_path / "forecasts.parquet"
    result = _forecast(_volumes(tmp_path), "--train-sessions", "12", "--refit-every", "2", "--forecasts", str(out))
    assert result.exit_code == 0, result.output
    told = orjson.loads((tmp_path / "report.json").read_bytes())
    rows = pl.read_parquet(out)
    assert set(rows["model"]) == set(told["models"]) >= {"rm20", "median20", "geometric", "kalman", "published"}
    assert set(rows["horizon"]) == {"one_bin", "day_ahead", "eod"}
    assert rows.columns[:8] == ["symbol", "session", "bin", "model", "horizon", "as_of_bin", "forecast", "actual"]
    assert rows.filter(model="published", horizon="one_bin").height == 2 * 4 * 4


def test_a_symbol_with_few_sessions_is_named_and_ends_with_3(tmp_path: Path) -> None:
    result = _forecast(_volumes(tmp_path, first=8), "--train-sessions", "12", "--model", "kalman")
    assert result.exit_code == 3
    told = orjson.loads((tmp_path / "report.json").read_bytes())
    assert [one["symbol"] for one in told["not_forecast"]] == ["B"]
    assert set(told["models"]) == {"kalman"}


def test_what_cannot_be_done_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    volume = _volumes(tmp_path)
    assert "no model is called best" in _forecast(volume, "--model", "best").output
    same = CliRunner().invoke(app, ["forecast", "--volume", str(volume), "--report", str(volume)])
    assert same.exit_code == 2
    assert _forecast(tmp_path / "absent.parquet").exit_code == 2
    assert not (tmp_path / "report.json").exists()
