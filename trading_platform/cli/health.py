"""`trading-platform health`: whether all runs, keeps up and loses nothing; for people, machines and Prometheus."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
import typer
from prometheus_client import start_http_server
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trading_platform.cli.console import say
from trading_platform.cli.dagster_daemons import DaemonWatch
from trading_platform.cli.feed_clock import published_clock
from trading_platform.cli.stop_signal import Stop
from trading_platform.errors import CannotLook, SettingsError
from trading_platform.health.exposition import registry_of
from trading_platform.health.findings import Finding, Level
from trading_platform.health.look import Health, look
from trading_platform.market.clock import from_ns
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import load_settings, settings_without_login
from trading_platform.supervision.status import process_facts, supervised_home, supervised_webserver

VERSION = 1
LOOPBACK = "127.0.0.1"

_COLOURS = {Level.GREEN: "green", Level.DEGRADED: "yellow", Level.RED: "red"}
_POLL_SECONDS = 1.0
_PLAIN_WIDTH = 200
"""Where nobody looks at a terminal: lines are for grep, not for a screen."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("health")(health)


def health(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print findings, figures and histograms as JSON")] = False,
    serve: Annotated[
        int | None, typer.Option(min=0, max=65535, help="serve Prometheus on this port of loopback; 0 takes any")
    ] = None,
    clock: Annotated[str | None, typer.Option(help="URL at which a simulated exchange publishes its clock")] = None,
) -> None:
    """Say what is wrong with this shard and what to do: feed, engine, Redis, disk, token, baseline, Dagster, backup.

    Data that is missing in market hours is red, and what is not known is never green then; a closed market is green
    and says when it opens. Time is that of the feed, so a simulated market is judged by its own clock; durations are
    real seconds. Nothing is started or changed.

    Example: trading-platform health --json

    Exit codes: 0 green, 1 degraded, 2 red, or it could not look (the message says why). With --serve 0 when it is
    asked to stop.
    """
    if as_json and serve is not None:
        raise SettingsError("--serve answers scrapes, --json prints once: choose one of them")
    bare = settings_without_login()
    watch = DaemonWatch(supervised_home(bare), lambda: supervised_webserver(bare))
    table = load_session_table()

    def look_now() -> Health:
        given = None if clock is None else published_clock(clock)
        try:
            settings = load_settings()
            return look(settings, table, daemons=watch.facts, processes=lambda: process_facts(settings), clock=given)
        except OSError as error:
            raise CannotLook(
                f"{error.filename} cannot be read: {error.strerror}; run it as the platform's user"
            ) from None

    if serve is not None:
        _serve(look_now, serve)
        return
    found = look_now()
    if as_json:
        say(orjson.dumps(as_values(found), option=orjson.OPT_NON_STR_KEYS).decode())
    else:
        _show(found)
    raise typer.Exit(int(found.level))


def as_values(found: Health) -> dict[str, Any]:
    """Return a health as machines read it; level words are green, degraded, red."""
    return {
        "version": VERSION,
        "shard": found.shard,
        "level": found.level.word,
        "exit_code": int(found.level),
        "at": from_ns(found.at_ns).isoformat(),
        "findings": [_finding_values(one) for one in found.findings],
        "latency_ms": {stage: one.model_dump() for stage, one in found.latency.items()},
    }


def _finding_values(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "level": finding.level.word,
        "says": finding.says,
        "advice": finding.advice,
        "figures": dict(finding.figures),
    }


def _show(found: Health) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    told = found.level.word
    title = f"shard {found.shard}: {told}, {from_ns(found.at_ns):%Y-%m-%d %H:%M:%S} IST"
    shown = Table("check", "level", "what is found", "what to do", title=title, title_justify="left")
    for one in found.findings:
        level = Text(one.level.word, style=_COLOURS[one.level])
        shown.add_row(one.name, level, Text(one.says), Text(one.advice or ""))
    console.print(shown)


def _serve(look_now: Callable[[], Health], port: int) -> None:
    stop = Stop()
    try:
        server, thread = start_http_server(port, addr=LOOPBACK, registry=registry_of(look_now))
    except OSError as error:
        raise SettingsError(f"port {port} cannot be used: {error.strerror}; choose another for --serve") from None
    say(f"http://{LOOPBACK}:{server.server_port}/metrics")
    while not stop.asked:
        stop.wait(_POLL_SECONDS)
    server.shutdown()
    thread.join()
