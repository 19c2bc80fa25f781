"""What is said of processes that run, wait, died or were given up."""

import os
import signal
from pathlib import Path

import pytest

from trading_platform.errors import NotRunning
from trading_platform.settings import IsolatedSettings
from trading_platform.supervision.orphans import orphans
from trading_platform.supervision.processes import end_processes
from trading_platform.supervision.status import plan_of as plan_kept
from trading_platform.supervision.status import process_facts, status_of, supervised_home
from trading_platform_tests.health.made import engine_values
from trading_platform_tests.supervision.rig import places_in, small, supervised, tell, wait_for


def test_every_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = IsolatedSettings(data_dir=tmp_path / "data")
    with pytest.raises(NotRunning):
        status_of(settings)
    with pytest.raises(NotRunning, match="trading-platform start"):
        plan_kept(settings)
    places = places_in(tmp_path)
    given_up = small(places, "daemon", "raise SystemExit(1)", retries=0)
    with supervised(
        places, small(places, "engine"), small(places, "feed"), given_up, small(places, "valkey")
    ) as control:
        for name in ("engine", "feed", "daemon"):
            control.start(name)
        wait_for(lambda: control.state("daemon").state == "FATAL")
        wait_for(lambda: control.state("engine").is_at_work)
        tell(settings.engine_dir / "k1.json", engine_values(pid=control.state("engine").pid, waiting="Redis"))
        found = status_of(settings)
        rows = {row.name: row for row in found.rows}
        assert (found.supervisor, found.profile, found.is_ready) == (control.pid(), "live", False)
        assert list(rows) == ["feed", "engine", "daemon", "valkey"]
        assert (rows["engine"].ready, rows["engine"].says, rows["engine"].restarts) == (True, "Redis", 0)
        assert (rows["feed"].state, rows["feed"].says) == ("STARTING", "no its first snapshot")
        assert rows["daemon"].state == "FATAL"
        assert "logs daemon" in rows["daemon"].says
        assert (rows["valkey"].state, rows["valkey"].pid) == ("STOPPED", None)
        assert plan_kept(settings).names == tuple(rows)
        assert supervised_home(settings) == tmp_path / "data" / "dagster"
        facts = process_facts(settings)
        assert facts.states == {"feed": "STARTING", "engine": "STARTING", "daemon": "FATAL", "valkey": "STOPPED"}
        os.kill(control.pid(), signal.SIGKILL)
        wait_for(lambda: process_facts(settings).problem is not None)
        end_processes(list(orphans(places)), 10.0)
    places.process_file.unlink()
    assert not process_facts(settings).asked
    assert supervised_home(settings) is None
