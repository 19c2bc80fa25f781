"""Where the supervisor of a data folder keeps its files and sockets: one folder, for its user alone."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trading_platform.errors import SupervisorFailed
from trading_platform.storage.socket_paths import socket_path
from trading_platform.streaming.private_folder import make_private_folder

FOLDER = "supervisor"
_CONTROL_LIMIT = 90
"""Bytes: the supervisor first binds a name that is longer by its process number."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one supervisor."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path) -> "Places":
        """Return the places of a data folder."""
        return cls(data_dir.absolute() / FOLDER)

    @property
    def control(self) -> Path:
        """Return the socket on which the supervisor is asked."""
        return socket_path(self.folder, "control.sock", limit=_CONTROL_LIMIT)

    @property
    def code(self) -> Path:
        """Return the socket of Dagster's code server."""
        return socket_path(self.folder, "code.grpc")

    @property
    def configuration(self) -> Path:
        """Return the supervisor's configuration, written at each start."""
        return self.folder / "supervisord.conf"

    @property
    def plan(self) -> Path:
        """Return what is started and how."""
        return self.folder / "plan.json"

    @property
    def workspace(self) -> Path:
        """Return the file that tells webserver and daemon where the code server is."""
        return self.folder / "workspace.yaml"

    @property
    def process_file(self) -> Path:
        """Return where the supervisor writes its process number."""
        return self.folder / "supervisord.pid"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs."""
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self.logs / f"{name}.log"

    def starts(self, name: str) -> Path:
        """Return the file that holds a line for each start of a process."""
        return self.folder / "starts" / name

    def make(self) -> None:
        """Make the folders."""
        for folder in (self.folder, self.logs, self.folder / "starts"):
            make_private_folder(folder)
            folder.chmod(0o700)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else start or stop meanwhile; raise SupervisorFailed when somebody does."""
        self.make()
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SupervisorFailed(f"another start or stop of {self.folder.parent} is under way: wait") from None
            yield
        finally:
            os.close(handle)

    def remove_sockets(self) -> None:
        """Remove sockets that nobody listens on any more."""
        for path in (self.control, self.code):
            path.unlink(missing_ok=True)
