"""Start and stop the real platform again and again, with its engine killed once: nothing may be left behind.

`python -m trading_platform_tests.torture.start_stop --cycles 20`
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from trading_platform.health.checks_host import DaemonFacts
from trading_platform.health.findings import Finding
from trading_platform.health.look import look
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.market.sessions import load_session_table
from trading_platform.supervision.status import status_of
from trading_platform_tests.supervision.installed import Installed

CYCLES = 20
RECOVERY_SECONDS = 180.0


def main() -> None:
    """Run the cycles; end with 1 at the first that leaves anything behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=CYCLES)
    cycles = parser.parse_args().cycles
    with tempfile.TemporaryDirectory(prefix="trading-platform-cycles-") as folder:
        here = Installed(Path(folder))
        try:
            faults = [fault for cycle in range(1, cycles + 1) for fault in one_cycle(here, cycle)]
        finally:
            here.kill()
    print(f"{cycles} cycles, {len(faults)} faults")  # noqa: T201
    sys.exit(bool(faults))


def one_cycle(here: Installed, cycle: int) -> list[str]:
    """Start, kill the engine in the first cycle, stop; return what was wrong."""
    began = elapsed_ns()
    begun = here.run("start", "--profile", "simulated", "--names", "2", "--speed", "5")
    if begun.returncode:
        return _told(cycle, [f"start ended with {begun.returncode}: {begun.stdout}{begun.stderr}"])
    ready = elapsed_ns()
    faults = killed_engine(here) if cycle == 1 else []
    asked = elapsed_ns()
    ended = here.run("stop")
    if ended.returncode:
        faults.append(f"stop ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
    faults += [f"left behind: {one}" for one in here.remains()]
    seconds = [(end - start) / NS_PER_SECOND for start, end in ((began, ready), (asked, elapsed_ns()))]
    print(f"cycle {cycle}: ready after {seconds[0]:.0f} s, stopped in {seconds[1]:.0f} s", flush=True)  # noqa: T201
    return _told(cycle, faults)


def killed_engine(here: Installed) -> list[str]:
    """Kill the engine and see health turn red, then green, with another process at work."""
    before = wait_for_level(here, "green")
    if isinstance(before, str):
        return [f"the engine was not green before: {before}"]
    pid = engine_pid(here)
    os.kill(pid, signal.SIGKILL)
    red = wait_for_level(here, "red")
    green = wait_for_level(here, "green")
    print(f"engine {pid} killed: {red}; then: {green}, as process {engine_pid(here)}", flush=True)  # noqa: T201
    faults = [
        f"health did not turn {level}" for level, found in (("red", red), ("green", green)) if isinstance(found, str)
    ]
    rows = {row.name: row for row in status_of(here.settings).rows}
    if rows["engine"].restarts != 1 or rows["engine"].pid == pid:
        faults.append(f"status says {rows['engine']}")
    return faults


def wait_for_level(here: Installed, level: str) -> Finding | str:
    """Return what health says of the engine when it has this level; as a text what it says when that never comes."""
    begun = elapsed_ns()
    table = load_session_table()
    while True:
        found = look(here.settings, table, daemons=lambda: DaemonFacts(asked=False)).findings
        engine = next(one for one in found if one.name == "engine")
        if engine.level.word == level:
            return engine
        if elapsed_ns() - begun > RECOVERY_SECONDS * NS_PER_SECOND:
            return f"{engine.level.word}: {engine.says}"
        pause(0.05)


def engine_pid(here: Installed) -> int:
    """Return the process of the engine."""
    return next(row.pid for row in status_of(here.settings).rows if row.name == "engine") or 0


def _told(cycle: int, faults: list[str]) -> list[str]:
    for fault in faults:
        print(f"cycle {cycle}: {fault}", flush=True)  # noqa: T201
    return faults


if __name__ == "__main__":
    main()
