"""One platform from start to stop, with the real processes: ready means ready, and nothing is left behind."""

import os
import shutil
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from trading_platform.cli.play_inputs import DEFAULT_SESSION
from trading_platform.cli.start import next_simulated
from trading_platform.errors import NoSessionError
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.journal import JournalReader, journal_folder
from trading_platform.supervision.places import Places
from trading_platform_tests.supervision.rig import wait_for

LIMIT_SECONDS = 240.0


class Installed:
    """A data folder, and the command as a user runs it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TP_", "DAGSTER_", "REDIS"))}
        cache = {"TP_JIT_CACHE": os.environ["TP_JIT_CACHE"]} if "TP_JIT_CACHE" in os.environ else {}
        self.environment = {
            **ours,
            **cache,
            "TP_DATA_DIR": str(self.data),
            "TP_WEBSERVER_PORT": str(self.port),
            # of a user who has one: it must reach no process that does not need it
            "TP_KITE_API_SECRET": "hidden-api-secret",
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "trading_platform", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.run("status", "--json").stdout)
        return parsed

    def processes(self) -> dict[int, str]:
        """Every process that names the data folder in its environment or its command, but ours."""
        found, wanted = {}, os.fsencode(self.data)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
                ended = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if wanted in told and not ended and int(folder.name) != os.getpid():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def sockets(self) -> list[Path]:
        return [path for path in self.data.rglob("*") if path.is_socket()]

    def locks(self) -> list[str]:
        """Files of the data folder that some process holds a lock on."""
        held = {
            line.split()[5].split(":")[2] for line in Path("/proc/locks").read_text().splitlines() if "FLOCK" in line
        }
        return [str(path) for path in self.data.rglob("*lock*") if str(path.lstat().st_ino) in held]

    def remains(self) -> list[object]:
        return [*self.processes().items(), *self.sockets(), *self.locks()]

    def kill(self) -> None:
        for pid in self.processes():
            os.kill(pid, 9)
        shutil.rmtree(self.folder, ignore_errors=True)


def test_one_platform_from_start_to_stop(tmp_path: Path) -> None:
    here = Installed(tmp_path)
    try:
        refused = here.run("start")
        assert refused.returncode == 2
        assert "token: kite_api_key is missing" in refused.stderr
        begun = here.run("start", "--profile", "simulated", "--names", "2", "--speed", "5", "--ready-within", "200")
        assert begun.returncode == 0, begun.stdout + begun.stderr
        # ready means ready: nothing is waited for here
        assert requests.get(f"http://127.0.0.1:{here.port}/server_info", timeout=20).ok
        assert JournalReader(here.data / "journal", "k1", DEFAULT_SESSION).read(0, 1 << 20).last_number > 0
        wait_for(lambda: bool(here.status()["ready"]))
        told = here.status()
        assert {row["name"]: row["restarts"] for row in told["rows"]} == dict.fromkeys(
            ("feed", "engine", "daemon", "webserver", "code-server", "exchange", "valkey"), 0
        )
        _holds_no_secret(here)
        again = here.run("start", "--profile", "simulated")
        assert (again.returncode, "running: a platform runs" in again.stderr) == (2, True)
        ended = here.run("stop")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert here.remains() == []
        assert here.run("status").returncode == 2
        _took_the_last_record(here)
    finally:
        here.kill()


def _holds_no_secret(here: Installed) -> None:
    """No secret stands in a command line or in what is written down for the supervisor; one is in no environment."""
    token = orjson.loads((here.data / "login" / "k1.json").read_bytes())["access_token"]
    written = [path for path in Places.of(here.data).folder.rglob("*") if path.is_file()]
    for text in [path.read_text(errors="replace") for path in written] + list(here.processes().values()):
        assert token not in text
        assert "hidden-api-secret" not in text
    for pid in here.processes():
        assert b"hidden-api-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    for path in Places.of(here.data).folder.iterdir():
        assert path.lstat().st_mode & 0o007 == 0 or path.is_symlink() or path.name == "prepared"


def _took_the_last_record(here: Installed) -> None:
    feed = orjson.loads((here.data / "feed" / "k1.json").read_bytes())
    engine = orjson.loads((here.data / "engine" / "k1.json").read_bytes())
    assert engine["position"] == feed["last_record"] > 0


def test_each_start_trades_the_next_session(tmp_path: Path) -> None:
    settings = IsolatedSettings(data_dir=tmp_path)
    assert next_simulated(settings) == DEFAULT_SESSION
    journal_folder(settings.journal_dir, "k1", DEFAULT_SESSION).mkdir(parents=True)
    assert next_simulated(settings) == date(2026, 8, 3)  # behind a week-end
    journal_folder(settings.journal_dir, "k1", date(2026, 12, 31)).mkdir(parents=True)
    with pytest.raises(NoSessionError, match="TP_DATA_DIR"):
        next_simulated(settings)
