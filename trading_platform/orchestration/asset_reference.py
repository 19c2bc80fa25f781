"""Assets of group reference: what can be traded in a session, and what is subscribed."""

from collections import Counter
from datetime import date

import dagster as dg
import polars as pl

from trading_platform.batch.reference import choose_universe, instrument_rows, stored_day, universe_rows
from trading_platform.errors import MissingInput
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, dates, table_metadata, tell, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import KiteResource, LakeResource
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import INSTRUMENTS, MINUTE_BARS, SUBSCRIPTION_UNIVERSE

GROUP = "reference"


@dg.asset(
    description="Every instrument of a session with token, lot size and expiry, as that day's Kite dump tells it.",
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=GROUP,
    kinds={"deltalake", "polars", "csv"},
    owners=OWNERS,
    metadata=table_metadata(INSTRUMENTS),
    pool=INSTRUMENTS.name,
)
def instruments(
    context: dg.AssetExecutionContext, lake: LakeResource, kite: KiteResource
) -> dg.MaterializeResult[None]:
    """Parse each session's dump and keep its rows; lines that cannot be read are counted by reason."""
    store = lake.open()
    for session in run_sessions(context):
        dump, path = kite.dump(session)
        rows = store.write_session(INSTRUMENTS.name, session, instrument_rows(dump, session))
        damage = dump.damage or "none"
        if dump.reasons or dump.damage:
            context.log.warning("%s: lines set aside: %s; damage: %s", session, dump.reasons, damage)
        aside = {"lines_set_aside": sum(dump.reasons.values()), "reasons": dump.reasons, "damage": damage}
        tell(context, session, written(rows, file=str(path), **aside))
    return dg.MaterializeResult()


@dg.asset(
    deps=[instruments],
    description="The instruments that the feed subscribes in a session, in order of priority, and on which socket.",
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=GROUP,
    kinds={"deltalake", "polars"},
    owners=OWNERS,
    metadata=table_metadata(SUBSCRIPTION_UNIVERSE),
    pool=SUBSCRIPTION_UNIVERSE.name,
)
def subscription_universe(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Choose from each session's dump by rule; what a rule wanted and did not get is named."""
    store = lake.open()
    for session in run_sessions(context):
        day = stored_day(store.read_sessions(INSTRUMENTS.name, [session]), session)
        universe = choose_universe(day, _closes_before(store, session))
        rows = store.write_session(SUBSCRIPTION_UNIVERSE.name, session, universe_rows(universe, day))
        rules = dict(Counter(chosen.reason for chosen in universe.chosen))
        missing = {one.name: one.reason for one in universe.missing}
        tell(context, session, written(rows, chosen_by_rule=rules, missing=missing, missing_count=len(missing)))
    return dg.MaterializeResult()


def _closes_before(lake: Lake, session: date) -> dict[str, float]:
    """Return the last closes of the session before, by symbol; none when the lake does not hold that session."""
    before = load_session_table().previous_session(SessionClass.NSE_INDEX, session)
    try:
        bars = lake.read_sessions(MINUTE_BARS.name, [before])
    except MissingInput as error:
        dg.get_dagster_logger().info("chains have no reference price for %s: %s", dates([session]), error)
        return {}
    last = bars.sort("start").group_by("symbol").agg(pl.col("close").last())
    return {str(symbol): float(close) for symbol, close in last.iter_rows() if close is not None}
