"""Asset of group market_data: candles of past sessions that nobody recorded, as Kite gives them."""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from trading_platform.batch.backfill import BackfillReport
from trading_platform.batch.backfill_answers import Outcome
from trading_platform.errors import PlatformError
from trading_platform.intake.backfilling import LOCK_SECONDS, BackfillRoom, BackfillWish, backfill, wished_sessions
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.context import JOB
from trading_platform.orchestration.metadata import OWNERS, dates, table_metadata, written
from trading_platform.orchestration.resources import CalculationResource, JournalsResource, KiteResource, LakeResource
from trading_platform.wire.lake_tables import BACKFILL_ACCOUNT, HISTORICAL_BARS

GROUP = "market_data"
KITE_POOL = "kite_api"
"""One run at a time asks Kite for candles; what other processes ask is paced with it by a file."""

_SHOWN_GAPS = 50


class BackfillConfig(dg.Config):
    """Which past sessions to fetch the candles of; what is recorded, imported or fetched already is left out."""

    sessions: int = Field(
        default=0, ge=0, le=1000, description="sessions to go back; 0: as many as baselines and seeds look at"
    )
    until: str = Field(default="", description="last session, YYYY-MM-DD; empty: the newest that is over")
    dates: list[str] = Field(default=[], description="these sessions, YYYY-MM-DD each, in place of the two above")
    names: list[str] = Field(default=[], description="symbols, or EXCHANGE:SYMBOL; empty: the universe of the day")
    again: bool = Field(default=False, description="also ask for what is there, as after a split or bonus")


@dg.asset(
    deps=[dg.AssetDep(instruments, partition_mapping=dg.LastPartitionMapping())],
    description="Minute candles of past sessions from Kite's historical service, adjusted as of the day of asking.",
    group_name=GROUP,
    kinds={"deltalake", "polars"},
    owners=OWNERS,
    metadata=table_metadata(HISTORICAL_BARS),
    pool=KITE_POOL,
)
def historical_bars(
    context: dg.AssetExecutionContext,
    config: BackfillConfig,
    lake: LakeResource,
    kite: KiteResource,
    journals: JournalsResource,
    calculation: CalculationResource,
) -> dg.MaterializeResult[None]:
    """Ask for what is missing; what came before a failure is in the lake."""
    table, access = load_session_table(), kite.access()
    room = BackfillRoom(lake.open(), access, kite.pieces(), table, journals.sessions())
    try:
        if config.dates:
            sessions = tuple(date.fromisoformat(text) for text in config.dates)
        else:
            count = config.sessions or max(calculation.baseline_sessions, calculation.seed_sessions)
            until = date.fromisoformat(config.until) if config.until else None
            sessions = wished_sessions(table, count, until, access.today())
        wish = BackfillWish(sessions, tuple(config.names), config.again)
        told = backfill(room, wish, context.log.info, lock_seconds=LOCK_SECONDS)
    except (PlatformError, ValueError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return dg.MaterializeResult(metadata=_metadata(told, lake.open().counts(HISTORICAL_BARS.name)))


@dg.asset_check(
    asset=historical_bars,
    description="Every session that candles were asked for gave some, and none had to be set aside.",
)
def history_is_complete(lake: LakeResource) -> dg.AssetCheckResult:
    """Count the accounts of all backfills by outcome; what is lacking warns, for Kite may not have it."""
    store = lake.open()
    rows = store.read_sessions(BACKFILL_ACCOUNT.name, sorted(store.counts(BACKFILL_ACCOUNT.name)))
    counts = {str(name): int(count) for name, count in rows["outcome"].value_counts().sort("outcome").iter_rows()}
    aside = int(rows["set_aside"].sum())
    lost = sum(counts.get(one, 0) for one in (Outcome.NO_CANDLES, Outcome.REFUSED))
    return dg.AssetCheckResult(
        passed=not lost and not aside,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"candles_set_aside": aside, **{f"sessions_{name}": count for name, count in counts.items()}},
    )


backfill_job = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.assets(historical_bars),
    tags={JOB: "backfill"},
    description="Fetches minute candles of past sessions from Kite: those that nobody recorded or imported.",
)


def _metadata(told: BackfillReport, held: dict[date, int]) -> dict[str, Any]:
    """Return the metadata of a backfill; the gaps that are a loss stand first in its table."""
    lacking = told.lacking
    shown = lacking.head(_SHOWN_GAPS).select("session", "symbol", "segment", "outcome", "reason")
    lines = ["| session | symbol | segment | outcome | reason |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in shown.iter_rows()]
    return written(
        sum(held.values()),
        sessions_asked=dates(told.sessions),
        sessions_written=dates(told.changed),
        instruments=told.instruments,
        requests=told.requests,
        requests_failed=told.failures,
        candles=told.candles,
        gaps=told.gaps.height,
        gaps_that_lose=lacking.height,
        gaps_shown=dg.MetadataValue.md("\n".join(lines)),
    )
