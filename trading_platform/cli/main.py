"""`trading-platform`: every operation as a command. Imports of each command's own parts happen when this loads."""

import sys

import typer

from trading_platform import __version__
from trading_platform.cli import (
    backfill,
    backup,
    bench,
    compact,
    debug,
    decode,
    demo,
    engine,
    feed,
    forecast,
    health,
    import_bars,
    indicators,
    init,
    instruments,
    login,
    logs,
    migrate,
    play,
    profile,
    prune_runs,
    replay,
    rvol,
    simulate,
    start,
    status,
    stop,
    verify,
    warmup,
)
from trading_platform.cli.console import say
from trading_platform.errors import PlatformError

app = typer.Typer(
    name="trading-platform",
    help="A market-data platform for Indian markets: every frame kept, every number computed once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for command in (
    backfill,
    backup,
    bench,
    compact,
    debug,
    decode,
    demo,
    engine,
    feed,
    forecast,
    health,
    import_bars,
    indicators,
    init,
    instruments,
    login,
    logs,
    migrate,
    play,
    profile,
    prune_runs,
    replay,
    rvol,
    simulate,
    start,
    status,
    stop,
    verify,
    warmup,
):
    command.register(app)


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
