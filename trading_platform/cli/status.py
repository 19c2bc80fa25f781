"""`trading-platform status`: each process, what it does and what it waits for."""

from dataclasses import asdict
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trading_platform.cli.console import say
from trading_platform.errors import NotRunning
from trading_platform.settings import load_settings
from trading_platform.supervision.status import Status, status_of

VERSION = 1
NOT_READY, NOT_RUNNING = 1, 2
_PLAIN_WIDTH = 160

_HELP = """Say of each process its state, number, uptime, how often it was started again, and what it waits for.

Example: trading-platform status --json

Exit codes: 0 all processes do their work, 1 some do not (the table says which), 2 nothing runs, or it could not look.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", help=_HELP)(status)


def status(*, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Ask and show."""
    try:
        found = status_of(load_settings())
    except NotRunning as error:
        say(orjson.dumps({"version": VERSION, "running": False}).decode() if as_json else str(error))
        raise typer.Exit(NOT_RUNNING) from None
    if as_json:
        say(orjson.dumps({"version": VERSION, "running": True, "ready": found.is_ready, **asdict(found)}).decode())
    else:
        _show(found)
    raise typer.Exit(0 if found.is_ready else NOT_READY)


def _show(found: Status) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    title = f"{found.profile} platform, supervisor {found.supervisor}"
    shown = Table("process", "state", "pid", "up", "restarts", "what it waits for", title=title, title_justify="left")
    for row in found.rows:
        colour = "green" if row.ready else "red"
        up = "" if row.up_seconds is None else _duration(row.up_seconds)
        pid = "" if row.pid is None else str(row.pid)
        shown.add_row(row.name, Text(row.state, style=colour), pid, up, str(row.restarts), Text(row.says))
    console.print(shown)


def _duration(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}"
