"""`trading-platform indicators`: indicators of minute bars that stand in files."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from trading_platform.batch.file_indicators import INTERVALS, indicators_of_bars, minutes_of
from trading_platform.cli.bar_report import usable_bars
from trading_platform.cli.console import say
from trading_platform.cli.output_files import refuse_output, write_table
from trading_platform.errors import PlatformError
from trading_platform.market.sessions import load_session_table

_UNUSABLE = 2
_SET_ASIDE = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("indicators")(indicators)


def indicators(
    bars: Annotated[Path, typer.Option(help="Parquet or CSV file of minute bars, or a folder of them")],
    out: Annotated[Path, typer.Option(help="file to write: .parquet or .csv")],
    interval: Annotated[str, typer.Option(help=f"length of the bars: {' or '.join(INTERVALS)}")] = "1m",
    index: Annotated[list[str] | None, typer.Option(help="symbol that is an index, beside known names")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as one line of JSON")] = False,
) -> None:
    """Write EMA 20, RSI 14, ATR 14 and the session's VWAP of bars after each bar of each symbol, null until known.

    Columns of the input: symbol, ts (start of the minute; without a zone it is IST), open, high, low, close, volume.
    A symbol is taken for an index when --index names it or its name is known (NIFTY 50, INDIA VIX, SENSEX, ...), and
    without any --index also when it moves and its volume is zero or absent in every row; that is said on stderr.

    Rows outside the hours of NSE cash are set aside. A date without a session, or of a year that the session table
    does not cover, is refused by name.

    Example: trading-platform indicators --bars minutes.parquet --interval 5m --out indicators.parquet

    Exit codes: 0 done; 2 the file cannot be used, nothing is written; 3 rows were set aside, the rest is written.
    """
    try:
        minutes = minutes_of(interval)
        refuse_output(bars, out)
        found = usable_bars(bars, index, load_session_table())
        rows = indicators_of_bars(found.bars, minutes)
        write_table(out, rows)
    except PlatformError as error:
        say(f"error: {error}", error=True)
        raise typer.Exit(_UNUSABLE) from None
    symbols = rows["symbol"].n_unique()
    if as_json:
        told = {"rows": rows.height, "symbols": symbols, "interval": interval, "out": str(out)}
        say(orjson.dumps({**told, "rejected_rows": found.rejected.height}).decode())
    else:
        say(f"{rows.height:,} bars of {symbols} symbols, {interval}, written to {out}")
    if found.rejected.height:
        raise typer.Exit(_SET_ASIDE)
