"""`trading-platform profile`: volume profiles of minute bars that stand in files, and of a session that runs."""

from pathlib import Path
from typing import Annotated

import orjson
import polars as pl
import typer

from trading_platform.batch.bar_files import BarInput
from trading_platform.batch.corporate_actions import read_corporate_actions
from trading_platform.batch.file_profiles import developing_of_bars, profiles_of_bars
from trading_platform.cli.bar_report import usable_bars
from trading_platform.cli.console import say
from trading_platform.cli.output_files import refuse_output, write_table
from trading_platform.cli.profile_live import tell_running
from trading_platform.errors import BadFileError, PlatformError
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.sessions import load_session_table

_UNUSABLE = 2
_SET_ASIDE = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("profile")(profile)


def profile(
    bars: Annotated[Path | None, typer.Option(help="Parquet or CSV file of minute bars, or a folder of them")] = None,
    out: Annotated[Path | None, typer.Option(help="file to write: .parquet or .csv")] = None,
    symbol: Annotated[str | None, typer.Option(help="instead of --bars: an instrument of a recorded session")] = None,
    session: Annotated[
        str | None, typer.Option(metavar="DATE", help="with --symbol: a date or today; else the newest with a journal")
    ] = None,
    tick_size: Annotated[
        float | None, typer.Option(help="step of the price; else told by each symbol's prices")
    ] = None,
    actions: Annotated[Path | None, typer.Option(help="CSV of splits and bonuses, instead of those shipped")] = None,
    index: Annotated[list[str] | None, typer.Option(help="symbol that is an index, beside known names")] = None,
    developing: Annotated[
        bool, typer.Option("--developing", help="write what the profile was at the end of each bar instead")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as one line of JSON")] = False,
) -> None:
    """Write the volume profile of each symbol and session: POC, value area, initial balance, nodes, naked POCs.

    Columns of the input: symbol, ts (start of the minute; without a zone it is IST), open, high, low, close, volume.
    Each bar of continuous trading is spread evenly over the rows of price that it touches (method `bars`). A row has
    so many ticks that a day of median range in the month before (without one: this month's first day) has 60 to 120
    rows. The value area holds 70% by the pair rule; nodes, developing values and naked POCs are lists, in a CSV with
    ; between.

    The histogram stands in the same row: `histogram` has the volume of each row of price, the lowest first, from
    `histogram_from` upwards in steps of `row_size`. An index has no volume: its columns are empty but for `reason`.

    With --developing the rows are by symbol, session and end of each bar that traded: POC, value area, its volume,
    initial balance so far, `poc_moved` since the last half hour ended, and `poc_shifts`, the half hours that moved the
    POC for good by a quarter of the ATR, the running one as it stands. The last row of a session is its profile. Only
    the height of the rows may look ahead: in a first month, which has none before, it is that of its first session.

    With --symbol instead of --bars the developing profile is made from the ticks of the journal up to now, also while
    the session runs: the sentence tells how it stands, --out keeps the rows. Row height and ATR come from the lake.

    Rows outside the hours of NSE cash are set aside. Naked POCs, row heights and the ATR of sessions before a split or
    bonus are divided by its factor; columns of --actions: symbol, ex_date, kind, volume_factor, source.

    Example: trading-platform profile --bars minutes.parquet --out profiles.parquet

    Exit codes: 0 done; 2 the file cannot be used, nothing is written; 3 rows were set aside, the rest is written.
    """
    try:
        if symbol is not None and (bars, tick_size, actions, index) == (None, None, None, None):
            tell_running(symbol, session, out, as_json=as_json)
            return
        if bars is None or out is None or symbol is not None or session is not None:
            raise BadFileError("name --bars FILE with --out FILE, or --symbol with nothing but --session and --out")
        rows, found = _of_file(bars, out, tick_size, actions, index, developing=developing)
    except PlatformError as error:
        say(f"error: {error}", error=True)
        raise typer.Exit(_UNUSABLE) from None
    profiles = rows.drop_nulls("poc").select("symbol", "session").unique().height
    if as_json:
        told = {"rows": rows.height, "symbols": rows["symbol"].n_unique(), "profiles": profiles, "out": str(out)}
        say(orjson.dumps({**told, "rejected_rows": found.rejected.height}).decode())
    else:
        of = "ends of bars" if developing else "symbols and sessions"
        say(f"{profiles:,} profiles of {rows.height:,} {of}, written to {out}")
    if found.rejected.height:
        raise typer.Exit(_SET_ASIDE)


def _of_file(
    bars: Path,
    out: Path,
    tick_size: float | None,
    actions: Path | None,
    index: list[str] | None,
    *,
    developing: bool,
) -> tuple[pl.DataFrame, BarInput]:
    refuse_output(bars, out)
    if tick_size is not None and not 0.0001 <= tick_size < float("inf"):
        raise BadFileError(f"--tick-size {tick_size:g} is no step of a price; give 0.0001 or more")
    table = load_session_table()
    found = usable_bars(bars, index, table)
    known = load_corporate_actions() if actions is None else read_corporate_actions(actions)
    make = developing_of_bars if developing else profiles_of_bars
    rows = make(found.bars, table, found.indices, actions=known, tick_size=tick_size)
    write_table(out, rows if out.suffix == ".parquet" else _flat(rows))
    return rows, found


def _flat(rows: pl.DataFrame) -> pl.DataFrame:
    """Write lists as text, as a CSV needs it."""
    lists = pl.selectors.by_dtype(pl.List(pl.Float64), pl.List(pl.Int64), pl.List(pl.Date))
    return rows.with_columns(lists.cast(pl.List(pl.String)).list.join(";"))
