"""`trading-platform indicators`: indicators of minute bars that stand in files."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from trading_platform.batch.bar_files import read_bars
from trading_platform.batch.file_indicators import INTERVALS, indicators_of_bars, minutes_of
from trading_platform.cli.console import say
from trading_platform.errors import BadFileError, PlatformError

_UNUSABLE = 2
_SET_ASIDE = 3
_SHOWN_ROWS = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("indicators")(indicators)


def indicators(
    bars: Annotated[Path, typer.Option(help="Parquet or CSV file of minute bars, or a folder of them")],
    out: Annotated[Path, typer.Option(help="file to write: .parquet or .csv")],
    interval: Annotated[str, typer.Option(help=f"length of the bars: {' or '.join(INTERVALS)}")] = "1m",
    index: Annotated[list[str] | None, typer.Option(help="symbol that is an index; else those without volume")] = None,
) -> None:
    """Write EMA 20, RSI 14, ATR 14 and the session's VWAP of bars after each bar of each symbol, null until known.

    Columns of the input: symbol, ts (start of the minute; without a zone it is IST), open, high, low, close, volume.

    Example: trading-platform indicators --bars minutes.parquet --interval 5m --out indicators.parquet

    Exit codes: 0 done; 2 the file cannot be used, nothing is written; 3 rows were set aside, the rest is written.
    """
    try:
        minutes = minutes_of(interval)
        _refuse_output(bars, out)
        found = read_bars(bars, indices=index or [])
        rows = indicators_of_bars(found.bars, minutes)
        _write(rows, out)
    except PlatformError as error:
        say(f"error: {error}", error=True)
        raise typer.Exit(_UNUSABLE) from None
    say(f"{rows.height:,} bars of {rows['symbol'].n_unique()} symbols, {interval}, written to {out}")
    if found.rejected.height:
        _complain(found.rejected)
        raise typer.Exit(_SET_ASIDE)


def _refuse_output(bars: Path, out: Path) -> None:
    if out.suffix not in {".parquet", ".csv"}:
        raise BadFileError(f"{out} must end in .parquet or .csv")
    if out.resolve() == bars.resolve() or out.resolve().parent == bars.resolve():
        raise BadFileError(f"{out} would be one of the files that are read; choose another --out")


def _write(rows: pl.DataFrame, out: Path) -> None:
    unfinished = out.parent / f".{out.name}.unfinished"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            if out.suffix == ".parquet":
                rows.write_parquet(unfinished)
            else:
                rows.write_csv(unfinished, datetime_format="%Y-%m-%dT%H:%M:%S%:z")
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise BadFileError(f"{out} cannot be written: {error.strerror or error}; mend that") from error


def _complain(rejected: pl.DataFrame) -> None:
    counts = rejected.group_by("reason").len().sort("reason")
    told = "; ".join(f"{reason}: {count}" for reason, count in counts.iter_rows())
    say(f"{rejected.height} rows set aside ({told})", error=True)
    for file, row, symbol, ts, reason in rejected.head(_SHOWN_ROWS).iter_rows():
        say(f"{file} row {row}: {symbol} {ts}: {reason}", error=True)
