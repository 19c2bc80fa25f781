"""One platform from start to stop, with the real processes: ready means ready, and nothing is left behind."""

import shutil
from datetime import date
from pathlib import Path

import orjson
import pytest
import requests
from typer.testing import CliRunner

from trading_platform.cli.main import app
from trading_platform.cli.play_inputs import DEFAULT_SESSION
from trading_platform.cli.start import next_simulated
from trading_platform.errors import CannotStart, NoSessionError
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.journal import journal_folder
from trading_platform.supervision.places import Places
from trading_platform.supervision.status import status_of
from trading_platform_tests.supervision.installed import Installed
from trading_platform_tests.supervision.rig import wait_for


@pytest.mark.timeout(900)
def test_one_platform_from_start_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Installed(tmp_path)
    for name, value in here.environment.items():
        monkeypatch.setenv(name, value)
    try:
        refused = CliRunner().invoke(app, ["start"]).exception
        assert isinstance(refused, CannotStart)
        assert "token: kite_api_key is missing" in str(refused)
        begun = here.run("start", "--profile", "simulated", "--names", "2", "--speed", "5", "--ready-within", "200")
        assert begun.returncode == 0, begun.stdout + begun.stderr
        # ready means ready: nothing is waited for here
        assert requests.get(f"http://127.0.0.1:{here.port}/server_info", timeout=20).ok
        wait_for(lambda: status_of(here.settings).is_ready)  # an engine that compiles says nothing meanwhile
        wait_for(lambda: _record(here, "feed", "last_record") > 0)
        shown = CliRunner().invoke(app, ["status", "--json"])
        assert {row["name"]: row["restarts"] for row in orjson.loads(shown.stdout)["rows"]} == dict.fromkeys(
            ("feed", "engine", "daemon", "webserver", "code-server", "exchange", "valkey"), 0
        )
        _holds_no_secret(here)
        again = CliRunner().invoke(app, ["start", "--profile", "simulated"]).exception
        assert isinstance(again, CannotStart)
        assert "running: a platform runs" in str(again)
        ended = here.run("stop")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert here.remains() == []
        assert CliRunner().invoke(app, ["status"]).exit_code == 2
        assert _record(here, "engine", "position") == _record(here, "feed", "last_record") > 0
    finally:
        here.kill()
        shutil.rmtree(here.data, ignore_errors=True)


def _record(here: Installed, who: str, what: str) -> int:
    return int(orjson.loads((here.data / who / "k1.json").read_bytes()).get(what) or 0)


def _holds_no_secret(here: Installed) -> None:
    """No secret stands in a command line or in what is written down for the supervisor; one is in no environment."""
    token = orjson.loads((here.data / "login" / "k1.json").read_bytes())["access_token"]
    written = [path for path in Places.of(here.data).folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    running = here.processes()
    assert len(running) >= 8
    for text in [path.read_text(errors="replace") for path in written] + list(running.values()):
        assert token not in text
        assert here.secret not in text
    for pid in running:
        assert here.secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert Places.of(here.data).folder.stat().st_mode & 0o077 == 0


def test_each_start_trades_the_next_session(tmp_path: Path) -> None:
    settings = IsolatedSettings(data_dir=tmp_path)
    assert next_simulated(settings) == DEFAULT_SESSION
    journal_folder(settings.journal_dir, "k1", DEFAULT_SESSION).mkdir(parents=True)
    assert next_simulated(settings) == date(2026, 8, 3)  # behind a week-end
    journal_folder(settings.journal_dir, "k1", date(2026, 12, 31)).mkdir(parents=True)
    with pytest.raises(NoSessionError, match="TP_DATA_DIR"):
        next_simulated(settings)
