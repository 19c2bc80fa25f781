"""Assets of group patterns: the signals of a session."""

import dagster as dg
import polars as pl

from trading_platform.batch.pattern_runs import signals_of_replay
from trading_platform.batch.plots import signals_over_day
from trading_platform.calc.patterns.catalogue import PATTERNS as CATALOGUE
from trading_platform.errors import MissingInput
from trading_platform.orchestration.asset_indicators import indicator_snapshots
from trading_platform.orchestration.context import record_span, run_sessions
from trading_platform.orchestration.metadata import OWNERS, picture, table_metadata, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.replays import replay_of_run
from trading_platform.orchestration.resources import JournalsResource, LakeResource
from trading_platform.wire.lake_tables import PATTERNS

GROUP = "patterns"


@dg.asset(
    deps=[indicator_snapshots],
    description="Signals of a session, recomputed from its journal up to the last closed interval.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars", "numba"},
    owners=OWNERS,
    metadata=table_metadata(PATTERNS),
    pool=PATTERNS.name,
)
def patterns(
    context: dg.AssetExecutionContext, lake: LakeResource, journals: JournalsResource
) -> dg.MaterializeResult[None]:
    """Replay the session and replace its signals; the engine's own stay the live record."""
    (session,) = run_sessions(context)
    if session not in journals.sessions():
        raise MissingInput(
            f"shard {journals.shard} has no journal of {session}, and patterns are computed from journals only: "
            "record the session, or play its bars with `trading-platform play --bars FILE`"
        )
    span = record_span(context.run.tags)
    rows = signals_of_replay(replay_of_run(journals, session, context.run.run_id).signals, until=span.until)
    count = lake.open().write_session(PATTERNS.name, session, rows)
    by_pattern = {str(name): int(n) for name, n in rows.group_by("pattern").agg(pl.len()).sort("pattern").iter_rows()}
    return dg.MaterializeResult(
        metadata=written(
            count,
            by_pattern=by_pattern,
            **{f"signals_{one.name}": by_pattern.get(one.name, 0) for one in CATALOGUE.values()},
            until_record=span.until or "end of the journal",
            plot=picture(signals_over_day(rows, f"Signals of {session} by quarter of an hour")),
        )
    )
