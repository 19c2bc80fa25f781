"""The supervisor's own process, and what runs once before it: started, found again, ended."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from trading_platform._version import __version__
from trading_platform.errors import CannotStart, NotRunning, SupervisorFailed, TookTooLong
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.settings import Settings, dagster_home, environment_with_home
from trading_platform.supervision.arrange import workspace_text
from trading_platform.supervision.configuration import configuration_text
from trading_platform.supervision.control import Control
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import Plan, write_plan
from trading_platform.supervision.preflight import is_ours

START_SECONDS = 30.0
END_SECONDS = 90.0
_PREPARE = "trading_platform.orchestration.instance"
_POLL_SECONDS = 0.05
_TAIL_LINES = 20

_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    # how long Dagster's code server waits for its last calls; a minute where nothing says otherwise
    "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": "5",
}

# only the command login needs it
_NOT_FOR_CHILDREN = ("TP_KITE_API_SECRET",)


def prepare_home(settings: Settings, places: Places) -> Path:
    """Make Dagster's home and the lake once for each version of ours; return the home. Raise CannotStart."""
    named = dagster_home()
    if named is not None and not is_ours(settings, named):
        return named
    home = settings.data_dir.absolute() / "dagster"
    made = places.folder / "prepared"
    stamp = f"{__version__} {'postgres' if settings.dagster_postgres_url else 'sqlite'}"
    done = made.read_text() if made.exists() else ""
    if done == stamp and (home / "dagster.yaml").exists() and settings.lake_dir.exists():
        return home
    log = places.log("prepare")
    with log.open("wb") as file:
        command = [sys.executable, "-m", _PREPARE, str(settings.data_dir.absolute())]
        environment = environment_with_home(home)
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, check=False
        ).returncode
    if code:
        raise CannotStart(f"dagster: its home {home} cannot be made; {log} ends:\n{tail(log)}")
    made.write_text(stamp)
    return home


def start_supervisor(places: Places, plan: Plan, home: Path) -> Control:
    """Start the supervisor in a session of its own and wait until it answers; raise CannotStart."""
    for one in plan.services:
        places.starts(one.name).unlink(missing_ok=True)
    write_plan(places, plan)
    places.remove_sockets()
    _write(places.workspace, workspace_text(places))
    _write(places.configuration, configuration_text(places, plan))
    inherited = {name: value for name, value in environment_with_home(home).items() if name not in _NOT_FOR_CHILDREN}
    log = places.log("supervisord-start")
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(places.configuration)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=inherited | _ENVIRONMENT | plan.environment,
            start_new_session=True,
            umask=0o077,
        )
    control = Control(places.control)
    begun = elapsed_ns()
    while not control.is_running():
        if process.poll() is not None:
            raise CannotStart(f"the supervisor ended with {process.returncode}; {log} ends:\n{tail(log)}")
        if elapsed_ns() - begun > START_SECONDS * NS_PER_SECOND:
            process.kill()
            raise CannotStart(f"the supervisor did not answer in {START_SECONDS:.0f} s; {log} ends:\n{tail(log)}")
        pause(_POLL_SECONDS)
    return control


def end_supervisor(places: Places, control: Control) -> None:
    """Let the supervisor stop what still runs, and wait until it is gone; raise TookTooLong."""
    try:
        pid = control.pid()
        control.shut_down()
    except NotRunning:
        return
    except SupervisorFailed:
        pid = control.pid()  # it may have gone down between question and answer
    begun = elapsed_ns()
    while is_there(pid):
        if elapsed_ns() - begun > END_SECONDS * NS_PER_SECOND:
            raise TookTooLong(f"the supervisor {pid} did not end in {END_SECONDS:.0f} s; see {places.logs}")
        pause(_POLL_SECONDS)
    places.remove_sockets()


def is_there(pid: int) -> bool:
    """Tell whether a process is there; one that has ended and only waits to be reaped is not."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a child of ours, where we started it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return sys.platform != "linux"


def end_processes(pids: list[int], limit_seconds: float) -> list[int]:
    """Ask processes to end, kill those that do not within a limit; return which were killed."""
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    begun = elapsed_ns()
    while left := [pid for pid in pids if is_there(pid)]:
        if elapsed_ns() - begun > limit_seconds * NS_PER_SECOND:
            for pid in left:
                _signal(pid, signal.SIGKILL)
            return left
        pause(_POLL_SECONDS)
    return []


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log."""
    try:
        text = log.read_bytes()[-64_000:].decode(errors="replace")
    except OSError:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (empty)"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
