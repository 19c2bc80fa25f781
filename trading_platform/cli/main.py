"""`trading-platform`: every operation as a command, imported when it is called."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from trading_platform import __version__
from trading_platform.cli.console import say
from trading_platform.errors import PlatformError

HOMES = {
    "backfill": "backfill",
    "backup": "backup",
    "restore": "backup",
    "bench": "bench",
    "compact": "compact",
    "debug": "debug",
    "decode": "decode",
    "demo": "demo",
    "engine": "engine",
    "feed": "feed",
    "forecast": "forecast",
    "health": "health",
    "import-bars": "import_bars",
    "indicators": "indicators",
    "init": "init",
    "instruments": "instruments",
    "login": "login",
    "logs": "logs",
    "migrate": "migrate",
    "play": "play",
    "profile": "profile",
    "prune-runs": "prune_runs",
    "replay": "replay",
    "rvol": "rvol",
    "simulate": "simulate",
    "start": "start",
    "restart": "start",
    "status": "status",
    "stop": "stop",
    "verify": "verify",
    "warmup": "warmup",
}
"""By name of each command the module that registers it."""


class Commands(Mapping[str, Any]):
    """Typer's commands by name: all of them together take seconds to import, and a process runs one."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command, after an import when it is the first of its module."""
        if name not in self._made:
            registered = typer.Typer()
            import_module(f"trading_platform.cli.{HOMES[name]}").register(registered)
            self._made.update(typer.main.get_group(registered).commands)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names in the order in which help lists them."""
        return iter(HOMES)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(HOMES)


class Program(TyperGroup):
    """The group of all commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()  # type: ignore[assignment]  # nothing adds to it


app = typer.Typer(
    name="trading-platform",
    cls=Program,
    help="A market-data platform for Indian markets: every frame kept, every number computed once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        say(__version__)
        raise typer.Exit


@app.callback()
def common(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="print it")) -> None:
    """Take the options that all commands share."""


def main() -> None:
    """Run a command; print the message of an error that we know and exit 2."""
    try:
        app()
    except PlatformError as error:
        say(f"error: {error}", error=True)
        sys.exit(2)
