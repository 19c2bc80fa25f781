"""Asset of group volume: what is traded in the straddles of each underlying, minute by minute."""

import dagster as dg

from trading_platform.batch.straddles import straddle_rows
from trading_platform.orchestration.asset_market_data import instruments_of, minute_bars
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, table_metadata, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import LakeResource
from trading_platform.wire.lake_tables import INSTRUMENTS, MINUTE_BARS, STRADDLE_VOLUMES

GROUP = "volume"


@dg.asset(
    deps=[instruments, minute_bars],
    description="Volume since the open of both options of every strike of each underlying's nearest expiry.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars"},
    owners=OWNERS,
    metadata=table_metadata(STRADDLE_VOLUMES),
    pool=STRADDLE_VOLUMES.name,
)
def straddle_volumes(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Add up the session's options; a session without any has no rows."""
    (session,) = run_sessions(context)
    store = lake.open()
    bars, listed = store.read_sessions(MINUTE_BARS.name, [session]), instruments_of(store, session)
    if listed is None:
        context.log.warning("the lake has no instruments of %s: nothing says which of its bars are options", session)
        listed = INSTRUMENTS.schema.to_frame()
    rows = straddle_rows(bars, listed)
    count = store.write_session(STRADDLE_VOLUMES.name, session, rows)
    options = listed["instrument_type"].is_in(["CE", "PE"]).sum()
    return dg.MaterializeResult(
        metadata=written(count, underlyings=rows["underlying"].n_unique(), options_listed=int(options))
    )
