"""`trading-platform import-bars`: minute bars of past sessions into the lake, from files or the synthetic market."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import orjson
import polars as pl
import typer

from trading_platform.batch.bar_files import read_bars
from trading_platform.batch.bars import FILE, SYNTHETIC, import_bars
from trading_platform.cli.bar_report import tell_indices, tell_rejected
from trading_platform.cli.console import say
from trading_platform.cli.play_inputs import sessions_of_files, synthetic_dates, synthetic_sessions
from trading_platform.cli.play_records import write_dump
from trading_platform.errors import BadFileError
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import load_settings
from trading_platform.storage.lake import Lake


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import-bars")(run)


def run(
    path: Annotated[Path | None, typer.Argument(help="file or folder of minute bars (.parquet, .csv)")] = None,
    source: Annotated[str, typer.Option(help="what the bars are marked as: file or synthetic")] = FILE,
    index: Annotated[list[str] | None, typer.Option(help="symbol that is an index, beside known names")] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="make sessions instead of reading them")] = False,
    sessions: Annotated[int, typer.Option(min=1, help="how many synthetic sessions")] = 20,
    until: Annotated[str | None, typer.Option(help="last synthetic session, YYYY-MM-DD")] = None,
    seed: Annotated[int, typer.Option(help="seed of the synthetic market")] = 1,
    names: Annotated[int, typer.Option(min=1, help="how many names the synthetic market has")] = 200,
    dumps: Annotated[bool, typer.Option(help="also write each session's instrument dump where there is none")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print what was imported as one line of JSON")] = False,
) -> None:
    """Put minute bars of past sessions into the lake; whole sessions are replaced.

    Example: trading-platform import-bars --synthetic --sessions 20 --until 2026-08-20

    Exit codes: 0 done, 2 the input cannot be used, 3 rows were set aside (the rest is imported).
    """
    settings, table = load_settings(), load_session_table()
    bars = None
    if synthetic:
        days = synthetic_dates(_date(until), sessions, table)
        found: Iterator[tuple[InstrumentDay, pl.DataFrame]] = (
            (InstrumentDay(one.session, one.instruments), one.bars)
            for one in synthetic_sessions(days, seed, names, table=table)
        )
        source = SYNTHETIC
    elif path is not None:
        bars = read_bars(path, indices=index or [], table=table)
        tell_indices(bars)
        tell_rejected(bars)
        if bars.bars.is_empty():
            raise BadFileError(f"{path} holds no bar that can be imported ({len(bars.rejected)} rows are broken)")
        found = ((InstrumentDay(one.session, one.instruments), one.bars) for one in sessions_of_files(bars, table))
    else:
        raise BadFileError("name a file or folder of minute bars, or say --synthetic --until DATE")
    rejected = 0 if bars is None else bars.rejected.height
    tell = _quiet if as_json else say
    imported = _import(
        found, source, Lake(settings.lake_dir), dumps_dir=settings.dumps_dir if dumps else None, tell=tell
    )
    if as_json:
        rows = {day.isoformat(): count for day, count in imported.items()}
        say(orjson.dumps({"source": source, "bars": rows, "rejected_rows": rejected}).decode())
    raise typer.Exit(3 if rejected else 0)


def _import(
    found: Iterator[tuple[InstrumentDay, pl.DataFrame]],
    source: str,
    lake: Lake,
    *,
    dumps_dir: Path | None,
    tell: Callable[[str], None],
) -> dict[date, int]:
    """Write each session; return its number of bars."""
    imported: dict[date, int] = {}
    for day, bars in found:
        if dumps_dir is not None:
            write_dump(dumps_dir, day)
        for session, rows in import_bars(bars, source, lake).items():
            imported[session] = rows
            tell(f"{session}  {rows:,} bars of {bars['symbol'].n_unique()} instruments")
    if imported:
        days = f"{min(imported)} to {max(imported)}"
        tell(f"imported {len(imported)} sessions; materialise minute_bars for {days} next")
    return imported


def _quiet(_text: str) -> None:
    """Say nothing: a machine reads the summary."""


def _date(text: str | None) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        raise BadFileError(f"--until {text!r} is no date as YYYY-MM-DD; name the last synthetic session") from None
