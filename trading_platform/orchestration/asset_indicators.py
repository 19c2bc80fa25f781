"""Assets of group indicators: the state they start a session with, and their values after each bar."""

from datetime import date

import dagster as dg
import polars as pl

from trading_platform.batch.bars import history
from trading_platform.batch.plots import relative_volume_curve
from trading_platform.batch.seeds import indicator_seeds as seeds_of
from trading_platform.batch.seeds import sessions_before
from trading_platform.batch.snapshots import snapshots_of_bars, snapshots_of_replay
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.asset_market_data import minute_bars
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.asset_volume import volume_baselines
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import FRESHNESS, OWNERS, dates, picture, table_metadata, written
from trading_platform.orchestration.partitions import PREVIOUS_SESSIONS, SESSIONS
from trading_platform.orchestration.replays import replay_of_run
from trading_platform.orchestration.resources import (
    CalculationResource,
    JournalsResource,
    LakeResource,
    RedisManagerResource,
)
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import (
    INDICATOR_SEEDS,
    INDICATOR_SNAPSHOTS,
    INSTRUMENTS,
    MINUTE_BARS,
    VOLUME_BASELINES,
)

GROUP = "indicators"


@dg.asset(
    deps=[instruments, dg.AssetDep(minute_bars, partition_mapping=PREVIOUS_SESSIONS)],
    description="State of every infinite-memory indicator before the open, scanned over past sessions, for the engine.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars", "numba", "redis"},
    owners=OWNERS,
    metadata=table_metadata(INDICATOR_SEEDS),
    pool=INDICATOR_SEEDS.name,
    freshness_policy=FRESHNESS,
)
def indicator_seeds(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    redis_manager: RedisManagerResource,
    calculation: CalculationResource,
) -> dg.MaterializeResult[None]:
    """Compute the session's seeds, keep them, and hand them to the recorder as one versioned block."""
    (session,) = run_sessions(context)
    store = lake.open()
    wanted = sessions_before(load_session_table(), session, calculation.seed_sessions)
    bars, used, missing = history(store, wanted)
    if missing:
        context.log.warning("minute_bars holds nothing of %s; the seeds do without", dates(missing))
    made = seeds_of(bars, store.read_sessions(INSTRUMENTS.name, [session]), session=session)
    rows = store.write_session(INDICATOR_SEEDS.name, session, made.rows)
    sha256 = redis_manager.store().publish_block("seeds", made.content)
    return dg.MaterializeResult(
        metadata=written(
            rows,
            instruments=len(made.block.tokens),
            warm=made.rows.drop_nulls(["ema_20", "rsi_14", "atr_14"]).height,
            sessions_used=dates(used),
            sessions_used_count=len(used),
            sessions_missing=dates(missing),
            block=sha256,
        )
    )


@dg.asset(
    deps=[minute_bars, volume_baselines, indicator_seeds],
    description="EMA, RSI, ATR, VWAP and relative volume after each bar of a session.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars", "numba"},
    owners=OWNERS,
    metadata=table_metadata(INDICATOR_SNAPSHOTS),
    pool=INDICATOR_SNAPSHOTS.name,
)
def indicator_snapshots(
    context: dg.AssetExecutionContext, lake: LakeResource, journals: JournalsResource
) -> dg.MaterializeResult[None]:
    """Take the indicators of the session's replay; without a journal compute them from its bars."""
    (session,) = run_sessions(context)
    store = lake.open()
    if session in journals.sessions():
        rows, source = snapshots_of_replay(replay_of_run(journals, session, context.run.run_id).indicators), "journal"
    else:
        rows, source = _from_bars(store, session), "bars"
    return dg.MaterializeResult(
        metadata=written(
            store.write_session(INDICATOR_SNAPSHOTS.name, session, rows),
            computed_from=source,
            instruments=rows["token"].n_unique(),
            rvol_known=rows["rvol_bar"].fill_nan(None).count(),
            plot=picture(relative_volume_curve(rows.fill_nan(None))),
        )
    )


def _from_bars(lake: Lake, session: date) -> pl.DataFrame:
    bars, seeds, baselines = (
        lake.read_sessions(table.name, [session]) for table in (MINUTE_BARS, INDICATOR_SEEDS, VOLUME_BASELINES)
    )
    return snapshots_of_bars(bars, seeds, baselines, session=session)
