"""`trading-platform stop`: everything that start began, in the order that loses nothing."""

import typer

from trading_platform.cli.console import say
from trading_platform.errors import NotRunning
from trading_platform.settings import settings_without_login
from trading_platform.supervision.stopping import stop_platform

UNCLEAN = 3

_HELP = """Stop the platform: the feed first, so that the journal is complete; the engine when it has taken the last
record; Dagster's daemon, webserver and code server; Valkey last.

What a supervisor left behind that was killed itself is stopped too.

Example: trading-platform stop

Exit codes: 0 all is stopped, or nothing ran; 2 it could not (the message says why); 3 all is stopped, but something had
to be killed, or the engine did not take the last record in time (named; nothing is lost by either).
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stop", help=_HELP)(stop)


def stop() -> None:
    """Stop everything."""
    try:
        found = stop_platform(settings_without_login(), say)
    except NotRunning as error:
        say(str(error))
        return
    for one in found:
        say(f"warning: {one}", error=True)
    if found:
        raise typer.Exit(UNCLEAN)
