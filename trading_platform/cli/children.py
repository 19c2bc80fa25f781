"""Processes that a command starts and takes down with it: each with a log file, in a session of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from trading_platform.errors import ChildFailed
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.streaming.private_folder import make_private_folder

STOP_SECONDS = 15.0
_TAIL_LINES = 15
_POLL_SECONDS = 0.1


def our_command(*arguments: str) -> tuple[str, ...]:
    """Return how a command of ours is started with this interpreter."""
    return (sys.executable, "-m", "trading_platform", *arguments)


class Children:
    """Starts processes, runs commands, and stops all that still run, the last started first.

    The caller has to handle SIGINT and SIGTERM itself: a process started while they are ignored ignores them too.
    """

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment = environment
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ending: set[str] = set()  # of them, which are meant to end by themselves
        make_private_folder(logs)

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None, ends: bool = False) -> None:
        """Start a process beside us, with more in its environment if so wanted; `ends`: a good end is no surprise."""
        self._running[name] = self._spawn(name, command, environment)
        (self._ending.add if ends else self._ending.discard)(name)

    def run(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command to its end and return what it printed; raise ChildFailed with the end of its log."""
        process = self._running[name] = self._spawn(name, command, environment)
        process.wait()
        del self._running[name]
        if process.returncode != 0:
            raise ChildFailed(f"{name} ended with {process.returncode}; {self._log(name)} ends:\n{self.tail(name)}")
        return self.printed(name)

    def require_alive(self) -> None:
        """Raise ChildFailed naming a process that ended by itself and should not have."""
        for name, process in self._running.items():
            if process.poll() is not None and not (process.returncode == 0 and name in self._ending):
                raise ChildFailed(
                    f"{name} ended by itself with {process.returncode}; {self._log(name)} ends:\n{self.tail(name)}"
                )

    def has_ended(self, name: str) -> bool:
        """Return whether a started process came to a good end; raise ChildFailed for a bad one."""
        code = self._running[name].poll()
        if code is None:
            return False
        if code != 0:
            self.require_alive()
        del self._running[name]
        return True

    def pid(self, name: str) -> int:
        """Return the process number of a started process."""
        return self._running[name].pid

    def printed(self, name: str) -> str:
        """Return what a process has printed so far."""
        return self._log(name).read_text(errors="replace")

    def stop(self, name: str) -> None:
        """Ask one process to end and wait for it; raise ChildFailed when it came to a bad end."""
        process = self._running.pop(name)
        _signal_group(process, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()
        if process.returncode != 0:
            raise ChildFailed(f"{name} ended with {process.returncode}; {self._log(name)} ends:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """Return the last lines of a process's log."""
        lines = self.printed(name).splitlines()
        return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])

    def stop_all(self) -> None:
        """Ask everything to end, the last started first; kill what has not ended after STOP_SECONDS."""
        for process in reversed(self._running.values()):
            _signal_group(process, signal.SIGTERM)
        limit = elapsed_ns() + int(STOP_SECONDS * NS_PER_SECOND)
        for process in self._running.values():
            while process.poll() is None and elapsed_ns() < limit:
                pause(_POLL_SECONDS)
            # also what the process itself had started and left behind
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def _spawn(
        self, name: str, command: tuple[str, ...], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        with self._log(name).open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._environment, **(environment or {})},
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
