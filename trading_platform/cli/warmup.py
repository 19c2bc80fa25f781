"""`trading-platform warmup`: compile the kernels into their cache."""

import typer

from trading_platform.calc.warmup import warm_up
from trading_platform.cli.console import say
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("warmup")(warmup)


def warmup() -> None:
    """Compile the calculation kernels once, so that no session has to wait for them.

    Example: trading-platform warmup

    Exit codes: 0 done.
    """
    say("compiling the kernels (about a minute the first time, then kept) ...")
    started = elapsed_ns()
    warm_up(load_settings().calculation.canonical())
    say(f"kernels ready after {(elapsed_ns() - started) / NS_PER_SECOND:.1f} s")
