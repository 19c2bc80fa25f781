"""The health of a whole running platform: exchange, feed and engine as processes, then one after the other ill."""

import os
import signal
from collections.abc import Iterator
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import requests
from typer.testing import CliRunner

from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.cli.main import app
from trading_platform.errors import CannotLook, SettingsError
from trading_platform.health.checks_host import DaemonFacts
from trading_platform.health.look import Health, look
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, from_ns, pause
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform_tests.cli.feed_process import start_command
from trading_platform_tests.health.test_look_disk import backup, on

SESSION = date(2026, 7, 31)
LIMIT = 90.0
TOKEN = "simulator-access"  # noqa: S105


class Platform:
    """A data folder, and the processes that work in it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder / "data", redis_url=None)
        self.file = folder / "settings.toml"
        self.folder = folder
        self.rest = ""
        self.running: dict[str, BaseProcess] = {}
        self.file.touch()

    def start(self, name: str, *arguments: str) -> BaseProcess:
        """Start a command; what it prints is in the file of its name."""
        environment = {
            "TP_SETTINGS_FILE": str(self.file),
            "TP_DATA_DIR": str(self.settings.data_dir),
            "DAGSTER_HOME": "",
        }
        (self.folder / name).unlink(missing_ok=True)
        self.running[name] = start_command(self.folder / name, environment, name, *arguments)
        return self.running[name]

    def lines(self, name: str, count: int) -> list[str]:
        """Return the first lines that a process prints."""
        log, begun = self.folder / name, elapsed_ns()
        while not log.exists() or len(found := log.read_text().splitlines()) < count:
            assert elapsed_ns() - begun < LIMIT * NS_PER_SECOND, f"{name} printed nothing"
            pause(0.05)
        return found[:count]

    def end(self, name: str, number: int) -> int | None:
        """Send a signal; return with what code the process ended."""
        process = self.running[name]
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(LIMIT)
        return process.exitcode

    def open_exchange(self) -> None:
        """Read where the exchange is, and leave behind what a morning does: settings, dump, baseline, backup."""
        addresses = dict(line.split() for line in self.lines("simulate", 2))
        self.rest = addresses["rest"]
        self.file.write_text(
            f'kite_api_key = "simulator"\nkite_access_token = "{TOKEN}"\nkite_ws_root = "{addresses["websocket"]}"\n'
        )
        header = {"Authorization": f"token simulator:{TOKEN}"}
        dump = requests.get(f"{self.rest}/instruments", headers=header, timeout=20).content
        self.settings.dumps_dir.mkdir(parents=True)
        (self.settings.dumps_dir / f"instruments_{SESSION:%Y%m%d}.csv").write_bytes(dump)
        manager = RedisManager(None, self.settings.valkey_dir)
        block = BaselineBlock(SESSION, np.array([1], np.uint32), 555, {k: np.ones((1, 2)) for k in INTERVALS}, ())
        RedisStore(manager.connect(), "k1").publish_block("baseline", block.encode())
        manager.close()
        backup(self.settings.backup_dir, on(30, 17))

    def look(self) -> Health:
        token = {"kite_access_token": TOKEN}
        settings = Settings(data_dir=self.settings.data_dir, redis_url=None, **token)  # type: ignore[arg-type]
        return look(settings, load_session_table(), daemons=lambda: DaemonFacts(asked=False))

    def wait_for(self, level: str, *checks: str) -> None:
        """Look again and again until the whole has this level, and these checks have it."""
        begun = elapsed_ns()
        while True:
            found = self.look()
            levels = {one.name: one.level.word for one in found.findings}
            # before the feed has said anything it is ordinary time, and the market may be closed
            if (
                from_ns(found.at_ns).date() == SESSION
                and found.level.word == level
                and all(levels[check] == level for check in checks)
            ):
                return
            ill = [one for one in found.findings if one.level.word != "green"]
            assert elapsed_ns() - begun < LIMIT * NS_PER_SECOND, f"{ill}\n{(self.folder / 'feed').read_text()[-3000:]}"
            pause(0.1)

    def told(self) -> tuple[int | None, dict[str, Any]]:
        """Run the command for machines; return its exit code and what it printed."""
        process = self.start("health", "--json")
        process.join(LIMIT)
        printed = (self.folder / "health").read_text()
        assert TOKEN not in printed
        found: dict[str, Any] = orjson.loads(printed)
        assert process.exitcode == found["exit_code"]
        return process.exitcode, found

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.join()
        RedisManager(None, self.settings.valkey_dir).stop_server()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path)
    yield running
    running.stop()


def levels(told: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["level"] for one in told["findings"]}


def test_a_running_market_is_green_and_what_dies_turns_it_red(platform: Platform) -> None:
    trade = ("--names", "3", "--past", "0", "--at", "09:15", "--hold", "--packets-per-second", "2")
    platform.start("simulate", "--synthetic", *trade)
    platform.start("engine")
    platform.open_exchange()
    platform.start("feed", "--clock", f"{platform.rest}/simulator/clock")
    platform.wait_for("green")

    code, told = platform.told()
    assert code == 0, [one for one in told["findings"] if one["level"] != "green"]
    assert (told["exit_code"], told["level"], told["version"], told["shard"]) == (0, "green", 1, "k1")
    assert told["at"].startswith("2026-07-31T09:1")
    assert set(levels(told).values()) == {"green"}
    assert list(told["latency_ms"]) == ["journal", "stream", "decoded", "written"]
    assert all(stage["count"] > 0 for stage in told["latency_ms"].values())

    feed = platform.running["feed"]
    assert feed.pid is not None
    os.kill(feed.pid, signal.SIGSTOP)
    platform.start("health", "--serve", "0")
    (address,) = platform.lines("health", 1)
    platform.wait_for("red", "feed")
    scraped = requests.get(address, timeout=60).text
    assert 'trading_platform_health{shard="k1"} 2.0' in scraped
    assert 'trading_platform_check{check="feed",shard="k1"} 2.0' in scraped
    assert 'trading_platform_latency_seconds_bucket{le="+Inf",shard="k1",stage="written"}' in scraped
    assert platform.end("health", signal.SIGTERM) == 0

    assert platform.end("feed", signal.SIGKILL) == -signal.SIGKILL
    assert platform.end("engine", signal.SIGKILL) == -signal.SIGKILL
    code, told = platform.told()
    assert (code, told["level"]) == (2, "red")
    assert (levels(told)["feed"], levels(told)["engine"], levels(told)["redis"]) == ("red", "red", "green")
    assert "trading-platform feed" in next(one["advice"] for one in told["findings"] if one["name"] == "feed")


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "settings.toml").touch()
    monkeypatch.setenv("TP_SETTINGS_FILE", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path / "data"))
    for name in ("DAGSTER_HOME", "REDIS_URL", "TP_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


def published(monkeypatch: pytest.MonkeyPatch, hour: int) -> list[str]:
    """Return options that give the command a clock of that hour, or half past eight in the morning."""
    at_ns = (1_785_436_200 + hour * 3600) * NS_PER_SECOND  # 2026-07-31 in India
    body = orjson.dumps({"data": {"epoch_ns": at_ns, "rate": 1.0, "anchor_ns": elapsed_ns(), "now_ns": at_ns}})
    monkeypatch.setattr("requests.get", lambda *_, **__: type("R", (), {"content": body}))
    return ["--clock", "http://127.0.0.1/clock"]


@pytest.mark.parametrize(
    ("hour", "code", "says"), [(2, 0, "closed, next opens 09:00"), (10, 2, "no feed of this shard")]
)
def test_a_table_for_people_says_what_is_found_and_what_to_do(
    alone: Path, monkeypatch: pytest.MonkeyPatch, hour: int, code: int, says: str
) -> None:
    result = CliRunner().invoke(app, ["health", *published(monkeypatch, hour)])
    assert result.exit_code == code
    assert says in result.output
    assert ("start it: trading-platform feed" in result.output) == (code == 2)
    assert not alone.exists()  # looking leaves nothing behind


def test_what_cannot_be_read_is_named(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:  # root, who may run this test, is never refused
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.disk_usage", refuse)
    result = CliRunner().invoke(app, ["health"])
    assert isinstance(result.exception, CannotLook)
    assert "Permission denied" in str(result.exception)


def test_what_cannot_go_together_is_refused(alone: Path) -> None:
    result = CliRunner().invoke(app, ["health", "--json", "--serve", "0"])
    assert isinstance(result.exception, SettingsError)


def test_a_port_that_is_taken_is_named(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest's own handlers stay

    def taken(*_: Any, **__: Any) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("trading_platform.cli.health.start_http_server", taken)
    result = CliRunner().invoke(app, ["health", "--serve", "9000"])
    assert isinstance(result.exception, SettingsError)
    assert "port 9000" in str(result.exception)
