"""Asset of group market_data: the decoded ticks of a session, and the check that none is missing."""

from datetime import date
from pathlib import Path

import dagster as dg

from trading_platform.batch.ticks import PacketCount, count_packets, tick_pieces
from trading_platform.errors import MissingInput
from trading_platform.orchestration.asset_streams import frames_journal
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, table_metadata, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import JournalsResource, LakeResource
from trading_platform.storage.record_source import JournalRecords
from trading_platform.wire.lake_tables import TICKS

GROUP = "market_data"
_MILLION = 1_000_000


@dg.asset(
    deps=[frames_journal],
    description="Every packet of a session that could be decoded, from its journal, in its order.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars", "numba"},
    owners=OWNERS,
    metadata=table_metadata(TICKS),
    pool=TICKS.name,
)
def ticks(
    context: dg.AssetExecutionContext, lake: LakeResource, journals: JournalsResource
) -> dg.MaterializeResult[None]:
    """Decode the session's journal piece by piece; memory does not grow with the day."""
    (session,) = run_sessions(context)
    store, counted = lake.open(), PacketCount()
    source = _records(journals, session)
    try:
        rows = store.write_session_in_pieces(TICKS.name, session, tick_pieces(source, session, counted))
    finally:
        source.reader.close()
    size = store.stored_bytes(TICKS.name).get(session, 0)
    return dg.MaterializeResult(
        metadata=written(
            rows,
            frames=counted.frames,
            packets_announced=counted.announced,
            packets_lost_in_damaged_frames=counted.lost,
            bytes=size,
            bytes_a_million_ticks=size * _MILLION // rows if rows else 0,
        )
    )


@dg.asset_check(
    asset=ticks,
    partitions_def=SESSIONS,
    description="The table holds as many ticks as the frames of the journal announce, less those in damaged frames.",
)
def ticks_match_the_journal(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, journals: JournalsResource
) -> dg.AssetCheckResult:
    """Count the journal's packets anew; ticks that damaged frames cost are a warning."""
    (session,) = run_sessions(context)
    rows = lake.open().counts(TICKS.name).get(session, 0)
    source = _records(journals, session)
    try:
        counted = count_packets(source)
    finally:
        source.reader.close()
    return verdict(rows, counted)


def verdict(rows: int, counted: PacketCount) -> dg.AssetCheckResult:
    """Compare the rows of a session with the packets of its journal."""
    matches = rows == counted.announced - counted.lost
    return dg.AssetCheckResult(
        passed=matches and not counted.lost,
        severity=dg.AssetCheckSeverity.WARN if matches else dg.AssetCheckSeverity.ERROR,
        metadata={"rows": rows, "packets_announced": counted.announced, "packets_lost": counted.lost},
    )


def _records(journals: JournalsResource, session: date) -> JournalRecords:
    if session not in journals.sessions():
        raise MissingInput(f"shard {journals.shard} has no journal of {session}: ticks come from journals only")
    return JournalRecords(Path(journals.root), journals.shard, session)
