"""`trading-platform debug`: one instrument, recomputed from its journal and held against Redis and lake."""

from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.text import Text

from trading_platform.cli.console import say
from trading_platform.inspection.debug import debug_instrument
from trading_platform.inspection.page import page
from trading_platform.inspection.question import Question
from trading_platform.inspection.report import as_values
from trading_platform.settings import load_settings
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager

_DIFFERENT = 3

_STYLES = {
    r"(?m)^\w+": "bold",
    r"(?m)\bNO\b|\d+ DIFFERENT|^different.*": "red",
    r"FIRED|\byes\b|equal, [\d,]+ rows": "green",
    r"(?m)^ +\?": "yellow",
}
"""What stands out on a terminal."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("debug")(debug)


def debug(
    symbol: Annotated[str, typer.Argument(help="trading symbol, EXCHANGE:SYMBOL or token; quote one with a space")],
    at: Annotated[
        str | None, typer.Option(help="only what came until then: HH:MM[:SS] of the session, or an ISO timestamp")
    ] = None,
    why_not: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="show each condition of this pattern, bar by bar")
    ] = None,
    session: Annotated[str | None, typer.Option(metavar="DATE", help="session; the newest with a journal")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as one line of JSON")] = False,
) -> None:
    """Show what one instrument looks like inside: packets, state, bars, indicators, baseline, conditions, latencies.

    All of it is recomputed from the journal and compared with what Redis and the lake hold. Ages are measured from
    --at, else from the last record. Nothing is started or changed; without Redis it goes on with journal and lake.

    Example: trading-platform debug SYN001 --at 10:30 --why-not breakout

    Exit codes: 0 stores and journal agree; 2 it could not run (unknown symbol, session, time or pattern: the message
    names what there is); 3 something differs, or the journal is damaged: each is printed.
    """
    settings = load_settings()
    url = settings.redis_url
    manager = RedisManager(url.get_secret_value() if url else None, settings.valkey_dir)
    report = debug_instrument(
        settings, Question(symbol, at, why_not, session), manager=manager, lake=Lake(settings.lake_dir)
    )
    if as_json:
        say(orjson.dumps(as_values(report)).decode())
    else:
        _show(page(report))
    raise typer.Exit(_DIFFERENT if report.differences else 0)


def _show(text: str) -> None:
    console = Console()
    if not console.is_terminal:
        say(text)
        return
    shown = Text(text)
    for pattern, style in _STYLES.items():
        shown.highlight_regex(pattern, style)
    console.print(shown, soft_wrap=True)
