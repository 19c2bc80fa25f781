"""The platform as a user has it: a data folder, the command, and everything that it could leave behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from trading_platform.settings import IsolatedSettings, Settings

LIMIT_SECONDS = 240.0


class Installed:
    """A data folder, and the command as a user runs it."""

    secret = "hidden-api-secret"  # noqa: S105

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TP_", "DAGSTER_", "REDIS"))}
        cache = {"TP_JIT_CACHE": os.environ["TP_JIT_CACHE"]} if "TP_JIT_CACHE" in os.environ else {}
        self.environment = {
            **ours,
            **cache,
            "TP_DATA_DIR": str(self.data),
            "TP_WEBSERVER_PORT": str(self.port),
            # of a user who has one: it must reach no process that does not need it
            "TP_KITE_API_SECRET": self.secret,
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "trading_platform", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
        )  # fmt: skip

    @property
    def settings(self) -> Settings:
        """The settings that the command reads of its environment."""
        return IsolatedSettings(data_dir=self.data, webserver_port=self.port)

    def processes(self) -> dict[int, str]:
        """Every process that names the data folder in its environment or its command, but ours."""
        found, wanted = {}, os.fsencode(self.data)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
                ended = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if wanted in told and not ended and int(folder.name) != os.getpid():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def sockets(self) -> list[Path]:
        return [path for path in self.data.rglob("*") if path.is_socket()]

    def locks(self) -> list[str]:
        """Files of the data folder that some process holds a lock on."""
        inodes = re.compile(r" [0-9a-f]+:[0-9a-f]+:(\d+) ")
        held = {found[1] for line in Path("/proc/locks").read_text().splitlines() if (found := inodes.search(line))}
        return [str(path) for path in self.data.rglob("*lock*") if str(path.lstat().st_ino) in held]

    def remains(self) -> list[object]:
        return [*self.processes().items(), *self.sockets(), *self.locks()]

    def kill(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
