"""The order of the end, told by the processes themselves; and what a killed supervisor leaves behind."""

import os
import signal
from pathlib import Path

import pytest

from trading_platform.errors import NotRunning
from trading_platform.settings import IsolatedSettings
from trading_platform.supervision.control import Control
from trading_platform.supervision.orphans import orphans
from trading_platform.supervision.plan import STOP_ORDER
from trading_platform.supervision.processes import is_there, start_supervisor
from trading_platform.supervision.stopping import stop_platform
from trading_platform_tests.health.made import engine_values, feed_values
from trading_platform_tests.supervision.rig import places_in, plan_of, small, supervised, tell, wait_for

TELLS = """
import signal, sys, time
def end(*_):
    with open({file!r}, "a") as file:
        file.write({name!r} + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""


def test_the_feed_ends_first_and_the_server_last(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    file = str(tmp_path / "told")
    services = [small(places, name, TELLS.format(file=file, name=name)) for name in reversed(STOP_ORDER)]
    with supervised(places, *services) as control:
        for name in STOP_ORDER:
            control.start(name)
        wait_for(lambda: all(places.log(name).exists() and places.log(name).read_text() for name in STOP_ORDER))
        pids = [control.state(name).pid for name in STOP_ORDER]
        supervisor = control.pid()
        said: list[str] = []
        assert stop_platform(IsolatedSettings(data_dir=tmp_path / "data"), said.append) == []
    assert Path(file).read_text().split() == list(STOP_ORDER)
    assert said == [f"{name} is stopped" for name in STOP_ORDER]
    assert not any(is_there(pid or 0) for pid in [*pids, supervisor])
    with pytest.raises(NotRunning):
        stop_platform(IsolatedSettings(data_dir=tmp_path / "data"), said.append)


def test_an_engine_that_has_not_taken_the_last_record_is_waited_for(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    settings = IsolatedSettings(data_dir=tmp_path / "data")
    for last, taken, unclean in ((10, 9, True), (10, 10, False)):
        with supervised(places, small(places, "engine")) as control:
            control.start("engine")
            wait_for(lambda: control.state("engine").is_at_work)
            tell(settings.feed_dir / "k1.json", feed_values(last_record=last))
            tell(settings.engine_dir / "k1.json", engine_values(position=taken))
            found = stop_platform(settings, lambda _: None, drain_seconds=0.3)
        assert [("last record" in one) for one in found] == [True] * unclean


STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
PARENT = """
import signal, subprocess, sys, time
def end(*_):
    ends.append(1)
    if len(ends) > 1:
        sys.exit(0)
ends = []
signal.signal(signal.SIGTERM, end)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
while True:
    time.sleep(0.05)
"""


def test_what_is_asked_once_more_what_is_killed_and_what_is_left_is_told(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    services = (small(places, "code-server", PARENT), small(places, "engine", STUBBORN, stop_seconds=1))
    with supervised(places, *services) as control:
        for name in ("code-server", "engine"):
            control.start(name)
        wait_for(lambda: all(places.log(one.name).exists() and places.log(one.name).read_text() for one in services))
        child = int(places.log("code-server").read_text())
        assert is_there(child)
        found = stop_platform(IsolatedSettings(data_dir=tmp_path / "data"), lambda _: None)
    assert found == ["engine had to be killed"]
    assert not is_there(child)


def test_what_a_killed_supervisor_left_is_ended(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    plan = plan_of(places, services=(small(places, "engine"), small(places, "feed")))
    control = start_supervisor(places, plan, places.folder)
    for name in ("engine", "feed"):
        control.start(name)
    wait_for(lambda: all(control.state(name).is_at_work for name in ("engine", "feed")))
    supervisor = control.pid()
    # between its fork and its exec a service still has the supervisor's variables, and is known by nothing
    wait_for(lambda: len(orphans(places)) == 2)
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not is_there(supervisor))
    left = orphans(places)
    assert sorted(left.values()) == ["engine", "feed"]
    said: list[str] = []
    assert stop_platform(IsolatedSettings(data_dir=tmp_path / "data"), said.append) == []
    assert [one.split()[0] for one in said] == ["feed", "engine"]
    assert not any(is_there(pid) for pid in left)
    assert not Control(places.control).is_running()
    assert not places.control.exists()
