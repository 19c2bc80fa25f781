"""`trading-platform rvol`: relative volume and what goes with it, of minute bars that stand in files."""

from pathlib import Path
from typing import Annotated

import orjson
import polars as pl
import typer

from trading_platform.batch.bar_files import BarInput
from trading_platform.batch.corporate_actions import read_corporate_actions
from trading_platform.batch.file_volume import volume_of_bars
from trading_platform.cli.bar_report import usable_bars
from trading_platform.cli.console import say
from trading_platform.cli.output_files import refuse_output, write_table
from trading_platform.errors import PlatformError
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import settings_without_login

_UNUSABLE = 2
_SET_ASIDE = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rvol")(rvol)


def rvol(
    bars: Annotated[Path, typer.Option(help="Parquet or CSV file of minute bars, or a folder of them")],
    out: Annotated[Path, typer.Option(help="file to write: .parquet or .csv")],
    actions: Annotated[Path | None, typer.Option(help="CSV of splits and bonuses, instead of those shipped")] = None,
    index: Annotated[list[str] | None, typer.Option(help="symbol that is an index, beside known names")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as one line of JSON")] = False,
) -> None:
    """Write the volume fields after each 1- and 5-minute bar, as the engine publishes them on the same bars.

    The baseline of a session is fitted only on sessions before it: as many of its kind as the settings say,
    null below ten. rvol_bar is the bar over the median of its bucket, rvol_cum what was traded since the open
    over the median of that, tradingview_rvol the same over the mean of ten sessions (five-minute bars only),
    eod_projection the day's volume as it will be, eod_ratio that over the median day, participation the share of the
    median day that is traded. What is not known is null, never 0 or 1; volume_flags says why: 4 too few sessions, 8
    adjusted for a split or bonus, 64 no past at all.

    Columns of the input: symbol, ts (start of the minute; without a zone it is IST), open, high, low, close, volume.
    Bars outside continuous trading of NSE cash are auctions: no row of their own, part of the day's volume.
    vix_regime needs bars of INDIA VIX in the input, straddle_volume both legs of a strike. underlying_straddle_volume
    adds up all strikes of the underlying's nearest expiry in the input; it stands in the rows of these options and of
    the underlying. baseline_version names the baselines of the session: equal ones, equal baselines.

    Columns of --actions: symbol, ex_date, kind (split, bonus, consolidation), volume_factor, source.

    Example: trading-platform rvol --bars minutes.parquet --out rvol.parquet

    Exit codes: 0 done; 2 the file cannot be used, nothing is written; 3 rows were set aside, the rest is written.
    """
    try:
        refuse_output(bars, out)
        calculation = settings_without_login().calculation
        table = load_session_table()
        found = usable_bars(bars, index, table)
        rows = volume_of_bars(
            found.bars,
            table,
            load_corporate_actions() if actions is None else read_corporate_actions(actions),
            sessions=calculation.baseline_sessions,
            min_sessions=calculation.baseline_min_sessions,
        )
        write_table(out, rows)
    except PlatformError as error:
        say(f"error: {error}", error=True)
        raise typer.Exit(_UNUSABLE) from None
    _tell(rows, found, out, as_json)
    if found.rejected.height:
        raise typer.Exit(_SET_ASIDE)


def _tell(rows: pl.DataFrame, found: BarInput, out: Path, as_json: bool) -> None:
    known = rows["rvol_cum"].count()
    told = {"rows": rows.height, "symbols": rows["symbol"].n_unique(), "sessions": len(found.sessions), "known": known}
    if as_json:
        say(orjson.dumps({**told, "out": str(out), "rejected_rows": found.rejected.height}).decode())
    else:
        say(
            f"{rows.height:,} bars of {told['symbols']} symbols, {told['sessions']} sessions, rvol_cum of {known:,} "
            f"known, written to {out}"
        )
