"""The command says what came, names what did not, and needs credentials."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from trading_platform.cli.main import app
from trading_platform.errors import SettingsError
from trading_platform_tests.simulator.exchange.offered import BEFORE, MINUTES, Running, running

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, exchange: Running, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "TP_DATA_DIR": str(tmp_path / "data"),
        "TP_KITE_API_KEY": "simulator",
        "TP_KITE_ACCESS_TOKEN": "simulator-access",
        "TP_KITE_API_ROOT": exchange.addresses.rest,
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_it_fetches_and_says_what_came(folder: Path) -> None:
    done = RUNNER.invoke(app, ["backfill", "--sessions", "1", "--until", str(BEFORE), "--names", "ALPHA"])
    assert done.exit_code == 0, done.output
    assert f"{MINUTES - 1} candles of 1 instruments in 1 requests" in done.output
    assert "gaps: partial: 1" in done.output


def test_what_did_not_come_is_named_and_set_aside(folder: Path) -> None:
    # the session before the one that the exchange knows of has no candles
    arguments = ["backfill", "--sessions", "1", "--until", "2016-08-11", "--names", "ALPHA", "--json"]
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 3
    told = orjson.loads(done.stdout.splitlines()[-1])
    assert [(gap["session"], gap["outcome"]) for gap in told["gaps"]] == [("2016-08-11", "no_candles")]


def test_without_credentials_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = RUNNER.invoke(app, ["backfill"])
    assert isinstance(done.exception, SettingsError)
    assert "TP_KITE_ACCESS_TOKEN" in str(done.exception)
