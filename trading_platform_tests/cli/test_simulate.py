import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import typer
from typer.testing import CliRunner

from trading_platform.cli.simulate import register
from trading_platform.errors import SettingsError

COMMAND = [sys.executable, "-m", "trading_platform", "simulate"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_addresses_serves_and_stops_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    arguments = ["--synthetic", "--names", "2", "--past", "0", "--at", "10:00", "--api-key", "mine", "--hold"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        rest, websocket = (process.stdout.readline().split() for _ in range(2))
        assert (rest[0], websocket[0]) == ("rest", "websocket")
        clock = requests.get(f"{rest[1]}/simulator/clock", timeout=5).json()["data"]
        assert (clock["session"], clock["running"]) == ("2026-07-31", False)
        assert clock["epoch_ns"] == 1_785_472_200_000_000_000  # 10:00 IST
        header = {"Authorization": "token mine:simulator-access"}
        assert requests.get(f"{rest[1]}/user/profile", headers=header, timeout=5).status_code == 200
        os.kill(process.pid, number)
        assert process.wait(15) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [[], ["--synthetic", "--bars", "x.csv"]])
def test_one_market_has_to_be_chosen(arguments: list[str]) -> None:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["simulate", *arguments])
    assert isinstance(result.exception, SettingsError)
