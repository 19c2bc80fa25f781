"""How old an asset of the day may be: no older than the longest pause between sessions, so that no holiday alarms."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import dagster as dg

from trading_platform.market.sessions import SessionClass, SessionTable, load_session_table

GRACE = timedelta(hours=12)
"""A morning's run may be late, an evening's long."""

_REFERENCE = SessionClass.NSE_CASH_FNO


def longest_pause(table: SessionTable) -> timedelta:
    """Return the longest time between two sessions that follow each other, in the last year that is covered."""
    _, last = table.covered(_REFERENCE)
    sessions = table.sessions(_REFERENCE, date(last.year, 1, 1), last)
    return max(after - before for before, after in pairwise(sessions))


def with_freshness(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """Give assets that are made for each session a policy; what is made when it is needed has none."""
    policy = dg.FreshnessPolicy.time_window(fail_window=longest_pause(load_session_table()) + GRACE)
    return [
        one if one.partitions_def is None else one.map_asset_specs(lambda spec: dg.apply_freshness_policy(spec, policy))
        for one in assets
    ]
