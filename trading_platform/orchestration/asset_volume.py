"""Assets of group volume: what volume is normal."""

import dagster as dg

from trading_platform.batch.bars import history_by_session
from trading_platform.batch.baselines import sessions_wanted
from trading_platform.batch.baselines import volume_baselines as baselines_of
from trading_platform.batch.day_averages import day_averages
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.asset_market_data import minute_bars
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.baseline_report import baseline_metadata
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import FRESHNESS, OWNERS, dates, table_metadata, written
from trading_platform.orchestration.partitions import PREVIOUS_SESSIONS, SESSIONS
from trading_platform.orchestration.resources import CalculationResource, LakeResource, RedisManagerResource
from trading_platform.wire.lake_tables import INSTRUMENTS, VOLUME_BASELINES

GROUP = "volume"


@dg.asset(
    deps=[instruments, dg.AssetDep(minute_bars, partition_mapping=PREVIOUS_SESSIONS)],
    description="Volume expected of each instrument and bar, as forecast the evening before, for the engine.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars", "redis"},
    owners=OWNERS,
    metadata=table_metadata(VOLUME_BASELINES),
    pool=VOLUME_BASELINES.name,
    freshness_policy=FRESHNESS,
)
def volume_baselines(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    redis_manager: RedisManagerResource,
    calculation: CalculationResource,
) -> dg.MaterializeResult[None]:
    """Compute the session's baselines, keep them, and hand them to the recorder as one versioned block."""
    (session,) = run_sessions(context)
    store = lake.open()
    wanted = sessions_wanted(load_session_table(), session, calculation.baseline_sessions)
    parts, used, missing = history_by_session(store, sorted({day for days in wanted.values() for day in days}))
    if missing:
        context.log.warning("minute_bars holds nothing of %s; the baselines do without", dates(missing))
    listed, actions = store.read_sessions(INSTRUMENTS.name, [session]), load_corporate_actions()
    made = baselines_of(
        parts,
        listed,
        session=session,
        wanted=wanted,
        min_sessions=calculation.baseline_min_sessions,
        actions=actions,
        averages=day_averages(store, listed, load_session_table(), session, actions),
    )
    rows = store.write_session(VOLUME_BASELINES.name, session, made.rows)
    sha256 = redis_manager.store().publish_block("baseline", made.content)
    return dg.MaterializeResult(
        metadata=written(
            rows,
            instruments=len(made.block.tokens),
            sessions_used=dates(used),
            sessions_used_count=len(used),
            sessions_missing=dates(missing),
            known=made.rows["expected_median"].fill_nan(None).count(),
            block=sha256,
            **baseline_metadata(store, session, made.rows, used),
        )
    )
