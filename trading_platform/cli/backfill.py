"""`trading-platform backfill`: minute candles of past sessions from Kite, so that baselines exist on the first day."""

from datetime import datetime
from typing import Annotated, Any

import orjson
import polars as pl
import typer

from trading_platform.batch.backfill import BackfillReport
from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.cli.console import say
from trading_platform.errors import SettingsError
from trading_platform.intake.backfilling import BackfillRoom, BackfillWish, backfill, wished_sessions
from trading_platform.intake.kite_access import KiteAccess, backfill_dir, pace_file
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.lake import Lake

_SET_ASIDE = 3
_SHOWN_ROWS = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backfill")(run)


def run(
    sessions: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="to go back; as many as baselines and seeds look at when left out"),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="last session; the newest that is over, else")
    ] = None,
    names: Annotated[
        str, typer.Option(help="symbols, or EXCHANGE:SYMBOL, with commas; the universe of the day when left out")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="also ask for what is there, as after a split")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the report as one line of JSON, all gaps in it")
    ] = False,
) -> None:
    """Fetch minute candles of past sessions from Kite into the lake: those that nobody recorded or imported.

    Kite answers three such requests a second, one for each instrument and 60 days. It can be killed at any time: run
    again it goes on where it was, and asks for nothing that is there. So does --again on the same day with the same
    options; on another day prices may be adjusted otherwise, and it asks for all. The first baselines then come with
    `dagster job execute -m trading_platform.definitions -j materialize_baselines`.

    Example: trading-platform backfill --sessions 20

    Exit codes: 0 every session asked for gave candles; 2 it could not run, or Kite refused the access token or did not
    answer (what came before is in the lake); 3 some gave none, or candles were set aside (each is named).
    """
    settings, table = load_settings(), load_session_table()
    access = KiteAccess(settings.dumps_dir, pace_file(settings))
    if not access.can_ask():
        raise SettingsError("candles need TP_KITE_API_KEY and TP_KITE_ACCESS_TOKEN: log in to Kite and set both")
    count = sessions or max(settings.calculation.baseline_sessions, settings.calculation.seed_sessions)
    chosen = wished_sessions(table, count, None if until is None else until.date(), access.today())
    wish = BackfillWish(chosen, tuple(name.strip() for name in names.split(",") if name.strip()), again)
    told = backfill(_room(settings, access), wish, lambda text: say(text, error=True))
    if as_json:
        say(orjson.dumps(_facts(told), default=str).decode())
    else:
        _tell(told)
    raise typer.Exit(_SET_ASIDE if told.lacking.height else 0)


def _room(settings: Settings, access: KiteAccess) -> BackfillRoom:
    recorded = journal_sessions(settings.journal_dir, settings.shard)
    pieces = Pieces(backfill_dir(settings))
    return BackfillRoom(Lake(settings.lake_dir), access, pieces, load_session_table(), sorted(recorded))


def _tell(told: BackfillReport) -> None:
    say(f"{told.candles:,} candles of {told.instruments:,} instruments in {told.requests:,} requests")
    for session, rows in sorted(told.written.items()):
        say(f"{session}  {rows:,} candles")
    by_outcome = told.gaps.group_by("outcome").agg(pl.len()).sort("outcome")
    for outcome, count in by_outcome.iter_rows():
        say(f"gaps: {outcome}: {count:,}", error=True)
    lacking = told.lacking
    for row in lacking.head(_SHOWN_ROWS).select("session", "symbol", "segment", "outcome", "reason").iter_rows():
        say("  ".join(str(value) for value in row if value is not None), error=True)
    if lacking.height > _SHOWN_ROWS:
        say(f"and {lacking.height - _SHOWN_ROWS:,} more: --json names all", error=True)


def _facts(told: BackfillReport) -> dict[str, Any]:
    return {
        "sessions": told.sessions,
        "instruments": told.instruments,
        "requests": told.requests,
        "requests_failed": told.failures,
        "candles": told.candles,
        "written": {str(session): rows for session, rows in sorted(told.written.items())},
        "gaps": told.gaps.drop("asked_at").to_dicts(),
    }
