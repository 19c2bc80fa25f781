"""`trading-platform logs`: the ends of the processes' logs, and what comes."""

import os
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from trading_platform.cli.console import say
from trading_platform.cli.stop_signal import Stop
from trading_platform.settings import settings_without_login
from trading_platform.supervision.places import Places
from trading_platform.supervision.processes import tail
from trading_platform.supervision.status import plan_of

_POLL_SECONDS = 0.2

_HELP = """Print the end of the log of one process, or of all, and with --follow what comes.

Example: trading-platform logs engine --follow

Exit codes: 0 printed, or asked to stop; 2 there is no such process, or nothing was started yet.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("logs", help=_HELP)(logs)


def logs(
    name: Annotated[str | None, typer.Argument(help="of this process; without it all, and the supervisor")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what comes")] = False,
    lines: Annotated[int, typer.Option(min=0, help="of each log")] = 20,
) -> None:
    """Print logs."""
    settings = settings_without_login()
    plan = plan_of(settings)
    places = Places.of(settings.data_dir)
    every = {one.name: one.log for one in plan.services} | {"supervisord": places.log("supervisord")}
    chosen = every if name is None else {name: every.get(name) or plan.service(name).log}
    followed = {one: FollowedLog(path) for one, path in chosen.items()} if follow else {}
    for one, path in chosen.items():
        if len(chosen) > 1:
            say(f"{one}: {path}")
        say(tail(path, lines))
    _follow(followed)


def _follow(followed: "dict[str, FollowedLog]") -> None:
    stop = Stop() if followed else None
    while stop is not None and not stop.asked:
        for name, one in followed.items():
            for line in one.fresh():
                say(f"{name}: {line}" if len(followed) > 1 else line)
        stop.wait(_POLL_SECONDS)


class FollowedLog:
    """A log that is read on, also when it is put aside and begun anew."""

    def __init__(self, path: Path) -> None:
        self._path, self._rest = path, b""
        self._file: BinaryIO | None = None
        if (file := self._open()) is not None:
            file.seek(0, os.SEEK_END)

    def fresh(self) -> list[str]:
        """Return the lines that came."""
        file = self._file or self._open()
        if file is None:
            return []
        read = file.read()
        if not read and self._is_another(file):  # what is in the new one comes at the next look
            file.close()
            self._open()
        *whole, self._rest = (self._rest + read).split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def _open(self) -> BinaryIO | None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            self._file = None
        return self._file

    def _is_another(self, file: BinaryIO) -> bool:
        try:
            return self._path.stat().st_ino != _inode(file)
        except FileNotFoundError:
            return False


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino
