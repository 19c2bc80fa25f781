"""Ask the supervisor of a data folder, over its private socket, in its own protocol."""

import http.client
import socket
import xmlrpc.client  # what it reads comes from a process of this user, over a socket of this user alone
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading_platform.errors import NotRunning, SupervisorFailed

TIMEOUT_SECONDS = 10.0
RUNNING, STARTING, BACKOFF, STOPPED, FATAL = "RUNNING", "STARTING", "BACKOFF", "STOPPED", "FATAL"
AT_WORK = (STARTING, RUNNING)
ENDED = (STOPPED, "EXITED", FATAL, "UNKNOWN")
_ALREADY_STARTED, _NOT_RUNNING = 60, 70
"""Faults of the supervisor's protocol."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What the supervisor says of a process; times in seconds."""

    name: str
    state: str
    pid: int | None
    age_seconds: float | None
    exit_code: int
    trouble: str

    @property
    def is_at_work(self) -> bool:
        """Tell whether the process is there."""
        return self.state in AT_WORK and self.pid is not None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        """Return a connection, a new one each time: the supervisor closes them."""
        return _Connection(self._path)


class Control:
    """The supervisor behind a socket; every call raises NotRunning when none is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(path))

    def pid(self) -> int:
        """Return the supervisor's process."""
        return int(self._ask(self._proxy.supervisor.getPID))

    def is_running(self) -> bool:
        """Tell whether a supervisor answers."""
        try:
            self.pid()
        except NotRunning:
            return False
        return True

    def states(self) -> dict[str, ProcessState]:
        """Return the state of every process by its name."""
        return {one["name"]: _state(one) for one in self._ask(self._proxy.supervisor.getAllProcessInfo)}

    def state(self, name: str) -> ProcessState:
        """Return the state of one process."""
        return _state(self._ask(lambda: self._proxy.supervisor.getProcessInfo(name)))

    def start(self, name: str) -> None:
        """Let a process start, without waiting for it; one that is there already is left alone."""
        self._ask(lambda: self._proxy.supervisor.startProcess(name, False), accepted=(_ALREADY_STARTED,))  # noqa: FBT003

    def stop(self, name: str) -> None:
        """Let a process stop, without waiting for it."""
        self._ask(lambda: self._proxy.supervisor.stopProcess(name, False), accepted=(_NOT_RUNNING,))  # noqa: FBT003

    def ask_again(self, name: str) -> None:
        """Send SIGTERM to a process once more, to itself alone."""
        self._ask(lambda: self._proxy.supervisor.signalProcess(name, "TERM"), accepted=(_NOT_RUNNING,))

    def shut_down(self) -> None:
        """Let the supervisor stop what still runs, and end."""
        self._ask(self._proxy.supervisor.shutdown)

    def _ask(self, request: Callable[[], Any], accepted: tuple[int, ...] = ()) -> Any:
        try:
            return request()
        except (FileNotFoundError, ConnectionError) as error:
            raise NotRunning(
                f"nothing runs here ({self._path.name}: {error.strerror or error}): trading-platform start"
            ) from None
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in accepted:
                return None
            raise SupervisorFailed(f"the supervisor refuses: {fault.faultString}") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorFailed(
                f"the supervisor at {self._path} does not answer ({type(error).__name__}): is the machine busy?"
            ) from None


def _state(said: dict[str, Any]) -> ProcessState:
    pid, state = int(said["pid"]), str(said["statename"])
    age = float(said["now"]) - float(said["start"]) if pid else None
    return ProcessState(
        str(said["name"]), state, pid or None, age, int(said["exitstatus"]), str(said["spawnerr"] or "")
    )
