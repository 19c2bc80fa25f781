"""A real supervisor: starts, restarts with a growing pause, gives up, stops, and leaves nothing behind."""

import os
import signal
import stat
from pathlib import Path

import pytest

from trading_platform.errors import NotRunning, SupervisorFailed
from trading_platform.supervision.control import Control
from trading_platform.supervision.orphans import orphans
from trading_platform.supervision.processes import is_there
from trading_platform_tests.supervision.rig import places_in, small, supervised, wait_for


def test_where_nothing_runs_that_is_said(tmp_path: Path) -> None:
    control = Control(places_in(tmp_path).control)
    assert not control.is_running()
    with pytest.raises(NotRunning, match="trading-platform start"):
        control.states()


def test_processes_are_started_again_and_given_up(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    dying = small(places, "feed", "import sys; print('told'); sys.exit(7)", retries=1)
    with supervised(places, small(places, "engine"), dying) as control:
        assert stat.S_IMODE(places.control.stat().st_mode) == 0o600
        assert control.state("engine").state == "STOPPED"
        control.start("engine")
        control.start("engine")  # it is there already
        wait_for(lambda: control.state("engine").is_at_work)
        first = control.state("engine").pid
        assert first is not None
        control.start("feed")
        wait_for(places.starts("engine").exists)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: control.state("engine").pid not in {None, first})
        wait_for(lambda: control.state("feed").state == "FATAL")
        wait_for(lambda: places.starts("engine").read_text().count("\n") == 2)
        assert places.starts("feed").read_text().count("\n") == 2
        assert places.log("feed").read_text() == "told\n" * 2
        with pytest.raises(SupervisorFailed, match="BAD_NAME"):
            control.start("nobody")
        found = orphans(places)
        assert set(found.values()) == {"engine"}
        supervisor = control.pid()
    assert not is_there(supervisor)
    assert not any(is_there(pid) for pid in found)
    assert not places.control.exists()
    assert not places.process_file.exists()
