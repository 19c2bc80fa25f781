"""Asset of group volume: where in its range each instrument's volume was traded."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import polars as pl

from trading_platform.batch.plots import volume_by_price
from trading_platform.batch.profile_history import days_of
from trading_platform.batch.profile_ticks import COLUMNS
from trading_platform.batch.session_profiles import (
    Day,
    Past,
    ReadTicks,
    past_sessions,
    session_profiles,
    tick_sizes_of,
)
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.asset_market_data import instruments_of, minute_bars
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.asset_ticks import ticks
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import OWNERS, dates, picture, table_metadata, written
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import LakeResource
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import MINUTE_BARS, SESSION, TICKS, VOLUME_PROFILES

GROUP = "volume"


@dg.asset(
    deps=[instruments, ticks, minute_bars],
    description="Volume by price of each instrument in a session, from its ticks, else from its minute bars.",
    partitions_def=SESSIONS,
    group_name=GROUP,
    kinds={"deltalake", "polars", "numba"},
    owners=OWNERS,
    metadata=table_metadata(VOLUME_PROFILES),
    pool=VOLUME_PROFILES.name,
)
def volume_profiles(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Make the session's profiles; row heights, the ATR and naked POCs come from the sessions that the lake holds."""
    (session,) = run_sessions(context)
    store = lake.open()
    bars = store.read_sessions(MINUTE_BARS.name, [session])
    listed = instruments_of(store, session)
    day = Day(
        session,
        load_session_table(),
        {} if listed is None else tick_sizes_of(listed),
        load_corporate_actions(),
    )
    looked_at = past_sessions(store.sessions(MINUTE_BARS.name), session)
    rows = session_profiles(bars, day, _past(store, session, looked_at), _tick_reader(store, session))
    count = store.write_session(VOLUME_PROFILES.name, session, rows)
    return dg.MaterializeResult(
        metadata=written(
            count,
            **_counts(rows),
            sessions_looked_at=dates(looked_at),
            plot=picture(volume_by_price(rows)),
        )
    )


def _past(store: Lake, session: date, looked_at: list[date]) -> Past:
    bars = store.scan(MINUTE_BARS.name).filter(
        pl.col(SESSION).is_in(looked_at) & (pl.col("kind") == int(PhaseKind.CONTINUOUS))
    )
    before = [day for day in store.sessions(VOLUME_PROFILES.name) if day < session][-1:]
    profiles = store.read_sessions(VOLUME_PROFILES.name, before)
    return Past(days_of(bars, ["symbol", "segment"]).collect(), profiles)


def _tick_reader(store: Lake, session: date) -> ReadTicks | None:
    if session not in store.counts(TICKS.name):
        return None

    def read(tokens: Sequence[int]) -> pl.DataFrame:
        chosen = (pl.col(SESSION) == session) & pl.col("token").is_in(list(tokens))
        return store.scan(TICKS.name).filter(chosen & pl.col("day_volume").is_not_null()).select(COLUMNS).collect()

    return read


def _counts(rows: pl.DataFrame) -> dict[str, int | float]:
    """Return numbers that plot over the sessions."""
    known = rows.drop_nulls("poc")
    shares = known["value_area_share"]
    found: dict[str, int | float] = {
        "profiles": known.height,
        "from_ticks": known.filter(pl.col("method") == "ticks").height,
        "tied_pocs": int(known["poc_tied"].sum()),
        "naked_pocs": int(rows["naked_pocs"].list.len().sum()),
        "volume": int(known["volume"].sum()),
    }
    return {**found, "mean_value_area_share": float(shares.sum() / len(shares))} if len(shares) else found
