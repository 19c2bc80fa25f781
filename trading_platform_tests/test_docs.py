"""The commands in the docs are run, as a reader would: in order, in one folder, with the files that they name."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.simulator.synthetic_market import synthetic_session
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_layout import TICK, Mode

ROOT = Path(__file__).resolve().parent.parent
SESSION = date(2026, 7, 31)
DEMO = "/.demo/"

# what the CI script or the reader's own machine runs, not this test
RUN_ELSEWHERE = ("git clone", "make demo", "make setup", "make test")


def commands(document: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(), flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(RUN_ELSEWHERE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reader")
    table = load_session_table()
    played = synthetic_session(SESSION, 1, 6, table=table)
    played.bars.write_parquet(place / "minutes.parquet")
    past = []
    for back in range(20, 0, -1):
        day = table.previous_session(SessionClass.NSE_CASH, SESSION, back)
        past.append(synthetic_session(day, 1, 6, table=table).bars)
    pl.concat(past).write_parquet(place / "past_minutes.parquet")
    _write_frame(place / "frame.bin")
    header = "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    rows = "408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
    text = f"{header}instrument_type,segment,exchange\n{rows}"
    (place / "instruments.csv").write_text(text)
    subprocess.run(["gzip", "instruments.csv"], cwd=place, check=True)
    (place / "workspace.yaml").write_text((ROOT / "workspace.yaml").read_text())
    (place / ".venv").mkdir()
    (place / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return place


def _write_frame(path: Path) -> None:
    tick = np.zeros(1, TICK)
    tick["token"], tick["segment"], tick["mode"], tick["last_price"] = 408065, 1, int(Mode.LTP), 1500.5
    path.write_bytes(encode_frame(tick))


def test_the_commands_of_the_readme_work(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TP_", "DAGSTER_"))}
    found = commands("README.md")
    assert sum("trading-platform" in line for line in found) >= 7
    assert sum("dagster" in line for line in found) >= 3
    exports: list[str] = []
    try:
        for line in found:
            if line.startswith("export"):
                exports.append(line)
                continue
            script = "\n".join([*exports, line])
            if "dagster dev" in line:
                _start_and_stop(script, folder, environment)
                continue
            done = subprocess.run(
                ["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            # no demo runs in this folder: health has to say so, and anything but a table is an error
            right = done.returncode in (1, 2) and "dagster" in done.stdout if DEMO in line else done.returncode == 0
            assert right, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    finally:
        _stop_server(folder)
    assert (folder / "out" / "summary.json").exists()
    assert pl.read_parquet(folder / "indicators.parquet").height > 0


def _start_and_stop(script: str, folder: Path, environment: dict[str, str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "dagster-dev.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-ec", f"{script} -h 127.0.0.1 -p {port}"],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        limit = time.monotonic() + 120
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.5)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop_server(folder: Path) -> None:
    EmbeddedValkey(folder / "data" / "valkey").stop()


def test_every_command_that_the_docs_name_exists() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "trading_platform", "--help"], capture_output=True, text=True, check=True
    ).stdout
    named = {
        match
        for document in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
        for match in re.findall(r"trading-platform ([a-z-]+)", (ROOT / document).read_text())
    }
    assert named
    assert {name for name in named if name not in listed} == set()
