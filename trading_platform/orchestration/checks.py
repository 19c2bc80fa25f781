"""A check for each asset: what must hold of its rows, counted by rule."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from trading_platform.batch.quality import (
    Finding,
    bars_sound,
    baselines_sound,
    instruments_sound,
    profiles_sound,
    seeds_sound,
    signals_sound,
    snapshots_sound,
    straddles_sound,
    universe_sound,
)
from trading_platform.errors import MissingInput
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.asset_indicators import indicator_seeds, indicator_snapshots
from trading_platform.orchestration.asset_market_data import minute_bars
from trading_platform.orchestration.asset_patterns import patterns
from trading_platform.orchestration.asset_reference import instruments, subscription_universe
from trading_platform.orchestration.asset_straddles import straddle_volumes
from trading_platform.orchestration.asset_volume import volume_baselines
from trading_platform.orchestration.asset_volume_profiles import volume_profiles
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import dates, facts
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import LakeResource
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import (
    INDICATOR_SEEDS,
    INDICATOR_SNAPSHOTS,
    INSTRUMENTS,
    MINUTE_BARS,
    PATTERNS,
    STRADDLE_VOLUMES,
    SUBSCRIPTION_UNIVERSE,
    VOLUME_BASELINES,
    VOLUME_PROFILES,
    Table,
)

Rule = Callable[[Lake, date], Finding]


@dg.asset_check(
    asset=instruments,
    partitions_def=SESSIONS,
    description="No token twice, none that contradicts its segment, no contract that is over.",
)
def instruments_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the dump of each session."""
    return _judge(context, lake, lambda store, day: instruments_sound(_rows(store, INSTRUMENTS, day), day))


@dg.asset_check(
    asset=subscription_universe,
    partitions_def=SESSIONS,
    description="Everything subscribed is in the day's dump, once, and the sockets carry it.",
)
def universe_fits_the_sockets(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the subscription of each session."""
    return _judge(
        context,
        lake,
        lambda store, day: universe_sound(_rows(store, SUBSCRIPTION_UNIVERSE, day), _rows(store, INSTRUMENTS, day)),
    )


@dg.asset_check(
    asset=minute_bars,
    partitions_def=SESSIONS,
    description="Prices are in order, no bar stands twice, all lie within opening hours.",
)
def bars_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the bars of each session."""
    table = load_session_table()
    return _judge(context, lake, lambda store, day: bars_sound(_rows(store, MINUTE_BARS, day), table, day))


@dg.asset_check(
    asset=volume_baselines,
    partitions_def=SESSIONS,
    description="Enough baselines are known for a session that is about to open, and all are positive.",
)
def baselines_are_known(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the baselines of the session."""
    return _judge(context, lake, lambda store, day: baselines_sound(_rows(store, VOLUME_BASELINES, day)))


@dg.asset_check(
    asset=volume_profiles,
    additional_deps=[minute_bars],
    partitions_def=SESSIONS,
    description="No share is lost, the value area holds 70% and the POC, and volume is that of the minute bars.",
)
def profiles_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the profiles of the session against its bars."""
    return _judge(
        context,
        lake,
        lambda store, day: profiles_sound(_rows(store, VOLUME_PROFILES, day), _rows(store, MINUTE_BARS, day)),
    )


@dg.asset_check(
    asset=straddle_volumes,
    partitions_def=SESSIONS,
    description="Totals of an underlying never fall during a session, and each minute has one.",
)
def straddles_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the straddle volumes of the session; one in which no strike traded is sound."""
    return _judge(context, lake, lambda store, day: straddles_sound(_rows_or_none(store, STRADDLE_VOLUMES, day)))


@dg.asset_check(
    asset=indicator_seeds,
    partitions_def=SESSIONS,
    description="Enough indicators are warm for a session that is about to open, and none has a value that cannot be.",
)
def seeds_are_warm(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the seeds of the session."""
    return _judge(context, lake, lambda store, day: seeds_sound(_rows(store, INDICATOR_SEEDS, day)))


@dg.asset_check(
    asset=indicator_snapshots,
    additional_deps=[minute_bars],
    partitions_def=SESSIONS,
    description="Every minute bar has its indicators, once, and none has a value that cannot be.",
)
def snapshots_match_bars(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the indicators of the session against its bars."""
    return _judge(
        context,
        lake,
        lambda store, day: snapshots_sound(_rows(store, INDICATOR_SNAPSHOTS, day), _rows(store, MINUTE_BARS, day)),
    )


@dg.asset_check(
    asset=patterns,
    partitions_def=SESSIONS,
    description="No signal was known before its bar ended; stop and target lie on their sides of the entry.",
)
def signals_are_sound(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the signals of the session; a session without a signal is sound."""
    return _judge(context, lake, lambda store, day: signals_sound(_rows_or_none(store, PATTERNS, day)))


def _judge(context: dg.AssetCheckExecutionContext, lake: LakeResource, rule: Rule) -> dg.AssetCheckResult:
    """Apply a rule to every session of the run; show the counts of the first that breaks it, else of the last."""
    store = lake.open()
    findings = {day: rule(store, day) for day in run_sessions(context)}
    broken = [day for day, finding in findings.items() if not finding.passed]
    wrong = [day for day in broken if not findings[day].only_warns]
    shown = next(iter([*wrong, *broken]), max(findings))
    metadata: dict[str, Any] = {
        "sessions": len(findings),
        "broken_sessions": dates(broken),
        "shown_session": str(shown),
    }
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.WARN if findings[shown].only_warns else dg.AssetCheckSeverity.ERROR,
        metadata={**metadata, **facts(findings[shown].facts)},
    )


def _rows(lake: Lake, table: Table, session: date) -> pl.DataFrame:
    return lake.read_sessions(table.name, [session])


def _rows_or_none(lake: Lake, table: Table, session: date) -> pl.DataFrame:
    try:
        return _rows(lake, table, session)
    except MissingInput:
        return table.schema.to_frame()
