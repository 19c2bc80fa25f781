"""`trading-platform bench`: how fast the platform is on this machine, and that what came out was right meanwhile."""

import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import orjson
import typer

from trading_platform.cli.bench_feed import FeedSource
from trading_platform.cli.bench_figures import DEFINITIONS
from trading_platform.cli.bench_load import Load, run_load
from trading_platform.cli.bench_server import server_alone
from trading_platform.cli.bench_stream import StreamSource
from trading_platform.cli.children import Children
from trading_platform.cli.console import say
from trading_platform.errors import SettingsError
from trading_platform.settings import IsolatedSettings, child_environment

Bench = Callable[[float, Path | None], dict[str, Any]]

_LONG_SECONDS, _SHORT_SECONDS = 300.0, 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """A bench, how long it measures unless told otherwise (0: that is not for us to say), and what it is for."""

    run: Bench
    seconds: float
    told: str


def _feed(packets_per_frame: int, packets_per_second: int, *, latency_bound: bool) -> Bench:
    return lambda seconds, within: run_load(
        Load(packets_per_frame, packets_per_second, seconds, latency_bound=latency_bound), FeedSource(), within
    )


def _stream(packets_per_frame: int, packets_per_second: int) -> Bench:
    return lambda seconds, within: run_load(
        Load(packets_per_frame, packets_per_second, seconds), StreamSource(), within
    )


def _server(packets_per_frame: int) -> Bench:
    return lambda _seconds, within: server_alone(packets_per_frame, within)


CASES = {
    "decode": Case(lambda _seconds, within: _decode(within), 0, "official client's parser, 150 times as fast"),
    "server-20": Case(_server(20), 0, "the server alone, records of 20 packets"),
    "server-200": Case(_server(200), 0, "the server alone, records of 200 packets"),
    "feed-18k-20": Case(_feed(20, 2, latency_bound=True), _LONG_SECONDS, "18,000 ticks/s from the socket on"),
    "feed-18k-200": Case(_feed(200, 2, latency_bound=True), _LONG_SECONDS, "18,000 ticks/s, frames of 200"),
    "feed-90k-20": Case(_feed(20, 10, latency_bound=False), _SHORT_SECONDS, "90,000 ticks/s from the socket on"),
    "feed-90k-200": Case(_feed(200, 10, latency_bound=False), _SHORT_SECONDS, "90,000 ticks/s, frames of 200"),
    "stream-180k-20": Case(_stream(20, 20), _SHORT_SECONDS, "180,000 ticks/s from the stream on"),
    "stream-180k-200": Case(_stream(200, 20), _SHORT_SECONDS, "180,000 ticks/s, frames of 200"),
}

_HELP = f"""Measure decoding, the way of a tick from the socket to Redis, and the server alone, at steady loads.

Exchange, feed, Valkey and engine run as processes of their own in a throw-away folder, with 9,000 instruments; frames
and digests are compared in the same run. Let nothing else run on the machine: the figures tell what it can do.

Benches: {"; ".join(f"{name} ({case.told})" for name, case in CASES.items())}.

Example: trading-platform bench --only feed-18k-20 --seconds 30 --json

Exit codes: 0 everything that came out was right (whether a load was carried stands in the figures), 1 something that
came out was not, 2 it could not run.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", help=_HELP)(bench)


def bench(
    *,
    only: Annotated[list[str] | None, typer.Option("--only", help="run this bench alone; can be repeated")] = None,
    seconds: Annotated[float | None, typer.Option(min=1.0, help="measure a load for so long")] = None,
    folder: Annotated[Path | None, typer.Option(help="where throw-away folders go (gigabytes at high loads)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Run benches and print their figures."""
    unknown = [name for name in only or () if name not in CASES]
    if unknown:
        raise SettingsError(f"no bench is called {', '.join(unknown)}; there are {', '.join(CASES)}")
    signal.signal(signal.SIGTERM, _end)
    figures = {}
    for name in only or CASES:
        case = CASES[name]
        say(f"{name}: {case.told} ...", error=True)
        figures[name] = case.run(case.seconds if seconds is None else seconds, folder)
        if not as_json:
            say(f"{name} {orjson.dumps(figures[name]).decode()}")
    if as_json:
        document = {"machine": _machine(), "definitions": DEFINITIONS, "benches": figures}
        say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    wrong = [
        f"{name}: {what} differ" for name, found in figures.items() for what, same in found["equal"].items() if not same
    ]
    for fault in wrong:
        say(fault, error=True)
    raise typer.Exit(1 if wrong else 0)


def _decode(within: Path | None) -> dict[str, Any]:
    root = Path(tempfile.mkdtemp(prefix="trading-platform-bench-", dir=within))
    try:
        settings = IsolatedSettings(data_dir=root / "data")
        settings.data_dir.mkdir()
        children = Children(child_environment(settings, root), root / "logs")
        printed = children.run("decode", sys.executable, "-m", "trading_platform.cli.bench_decode")
        result: dict[str, Any] = orjson.loads(printed.splitlines()[-1])
        return result
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _machine() -> dict[str, Any]:
    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(2)
