"""Assets of group reference: what can be traded in a session, and what is subscribed."""

from collections import Counter

import dagster as dg

from trading_platform.batch.reference import choose_universe, closes_before, instrument_rows, stored_day, universe_rows
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, table_metadata, tell, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import KiteResource, LakeResource
from trading_platform.wire.lake_tables import INSTRUMENTS, SUBSCRIPTION_UNIVERSE

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
        closes = closes_before(store, load_session_table(), session)
        if not closes:
            context.log.info("%s: no bars of the session before, chains have no reference price", session)
        universe = choose_universe(day, closes)
        rows = store.write_session(SUBSCRIPTION_UNIVERSE.name, session, universe_rows(universe, day))
        rules = dict(Counter(chosen.reason for chosen in universe.chosen))
        missing = {one.name: one.reason for one in universe.missing}
        tell(context, session, written(rows, chosen_by_rule=rules, missing=missing, missing_count=len(missing)))
    return dg.MaterializeResult()
