"""Assets of group market_data: minute bars."""

from datetime import date

import dagster as dg
import polars as pl

from trading_platform.batch.bars import bars_of_history, bars_of_import, bars_of_replay, missing_bars
from trading_platform.batch.plots import coverage_map
from trading_platform.errors import MissingInput
from trading_platform.orchestration.asset_historical_bars import historical_bars
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.asset_streams import frames_journal
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, dates, picture, table_metadata, tell, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.replays import replay_of_run
from trading_platform.orchestration.resources import JournalsResource, LakeResource
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import HISTORICAL_BARS, IMPORTED_BARS, INSTRUMENTS, MINUTE_BARS

GROUP = "market_data"


@dg.asset(
    deps=[instruments, frames_journal, historical_bars],
    description="One-minute bars of a session: from the pass over its journal, else an import, else Kite's candles.",
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=GROUP,
    kinds={"deltalake", "polars"},
    owners=OWNERS,
    metadata=table_metadata(MINUTE_BARS),
    pool=MINUTE_BARS.name,
)
def minute_bars(
    context: dg.AssetExecutionContext, lake: LakeResource, journals: JournalsResource
) -> dg.MaterializeResult[None]:
    """Make the bars of each session; sessions without any input fail by name after the others are written."""
    store = lake.open()
    recorded, imported = set(journals.sessions()), set(store.sessions(IMPORTED_BARS.name))
    fetched = set(store.sessions(HISTORICAL_BARS.name))
    sessions = run_sessions(context)
    missing = [session for session in sessions if session not in recorded | imported | fetched]
    for session in sessions:
        if session in missing:
            continue
        if session in recorded:
            made = bars_of_replay(replay_of_run(journals, session, context.run.run_id).bars)
        elif session in imported:
            made = bars_of_import(store.read_sessions(IMPORTED_BARS.name, [session]), instruments_of(store, session))
        else:
            made = bars_of_history(store.read_sessions(HISTORICAL_BARS.name, [session]))
        rows = store.write_session(MINUTE_BARS.name, session, made)
        source = str(made["source"][0]) if made.height else "nothing"
        context.log.info("minute_bars %s: %d rows from %s", session, rows, source)
        shown = {"plot": picture(coverage_map(made))} if made.height else {}
        tell(context, session, written(rows, source=source, **_counts(made), **shown))
    if missing:
        raise MissingInput(f"{missing_bars(missing[0], journals.shard)} (sessions without bars: {dates(missing)})")
    return dg.MaterializeResult()


def _counts(bars: pl.DataFrame) -> dict[str, int]:
    """Return numbers that plot over the sessions; flagged are bars whose quality something took from."""
    flagged = bars.filter(pl.col("flags") > 0).height
    revised = bars.filter(pl.col("revision") > 0).height
    return {"instruments": bars["symbol"].n_unique(), "flagged_bars": flagged, "revised_bars": revised}


def instruments_of(lake: Lake, session: date) -> pl.DataFrame | None:
    """Return the instruments of a session, None when the lake has no dump of it."""
    if session not in lake.sessions(INSTRUMENTS.name):
        return None
    return lake.read_sessions(INSTRUMENTS.name, [session])
