"""Assets of group reference: what can be traded in a session, and what is subscribed."""

from datetime import date

import dagster as dg
import polars as pl

from trading_platform.batch.instrument_dump import Dump
from trading_platform.batch.reference import choose_universe, instrument_rows, stored_day, universe_rows
from trading_platform.errors import MissingInput
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, dates, table_metadata, written
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
    rows, files, reasons, damage = 0, [], dict[str, int](), list[str]()
    for session in run_sessions(context):
        dump, path = kite.dump(session)
        rows += store.write_session(INSTRUMENTS.name, session, instrument_rows(dump, session))
        files.append(str(path))
        _count(dump, reasons, damage)
    set_aside = sum(reasons.values())
    if set_aside or damage:
        context.log.warning("lines set aside: %s; damage: %s", reasons, damage or "none")
    return dg.MaterializeResult(
        metadata=written(rows, files=files, lines_set_aside=set_aside, reasons=reasons, damage=damage)
    )


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
    rows, reasons, missing = 0, dict[str, int](), dict[str, str]()
    for session in run_sessions(context):
        day = stored_day(store.read_sessions(INSTRUMENTS.name, [session]), session)
        universe = choose_universe(day, _closes_before(store, session))
        rows += store.write_session(SUBSCRIPTION_UNIVERSE.name, session, universe_rows(universe, day))
        for chosen in universe.chosen:
            reasons[chosen.reason] = reasons.get(chosen.reason, 0) + 1
        missing |= {f"{session} {one.name}": one.reason for one in universe.missing}
    return dg.MaterializeResult(metadata=written(rows, chosen_by_rule=reasons, missing=missing))


def _count(dump: Dump, reasons: dict[str, int], damage: list[str]) -> None:
    for reason, count in dump.reasons.items():
        reasons[reason] = reasons.get(reason, 0) + count
    if dump.damage:
        damage.append(dump.damage)


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
