"""`trading-platform init`: the data folder, Dagster's home in it and the tables of the lake, made once."""

import shlex

import typer

from trading_platform.cli.console import say
from trading_platform.settings import load_settings
from trading_platform.supervision.places import Places
from trading_platform.supervision.processes import prepare_home


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init() -> None:
    """Make the data folder ready for Dagster's own programs; print what they need in the environment.

    `start` and `demo` do this by themselves; `dagster dev` and `dagster job execute` on a new folder need it once.
    A second time changes nothing.

    Example: trading-platform init

    Exit codes: 0 ready; 2 it could not be made (the message says why).
    """
    settings = load_settings()
    places = Places.of(settings.data_dir)
    with places.locked():
        home = prepare_home(settings, places)
    folder = shlex.quote(str(settings.data_dir.absolute()))
    say(f"export TP_DATA_DIR={folder} DAGSTER_HOME={shlex.quote(str(home))}")
