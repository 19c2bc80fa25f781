"""Checks of the baselines of a session before its open: who has one, from which past, and how good the last ones were.

All warn: the engine runs without, and says so in its flags.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from trading_platform.batch.baseline_rules import (
    CHECKED_MINUTES,
    bias_sound,
    calibration_sound,
    coverage_sound,
    history_sound,
    jump_sound,
)
from trading_platform.batch.baselines import comparable_sessions, sessions_wanted
from trading_platform.batch.quality import Finding
from trading_platform.batch.reference import stored_day
from trading_platform.errors import InstrumentError, MissingInput
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.instruments import session_class
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.orchestration.asset_volume import volume_baselines
from trading_platform.orchestration.baseline_report import USED, score_session, scored_sessions
from trading_platform.orchestration.context import run_sessions
from trading_platform.orchestration.metadata import facts
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.orchestration.resources import CalculationResource, LakeResource
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import INSTRUMENTS, SUBSCRIPTION_UNIVERSE, VOLUME_BASELINES

SCORED_SESSIONS = 5
"""How many scored sessions drift and calibration look at."""

_SCORED_MINUTES = (1, CHECKED_MINUTES)
"""Minutes tell where the record has holes."""


@dg.asset_check(
    asset=volume_baselines,
    partitions_def=SESSIONS,
    description="Most of the subscribed shares and futures have a baseline; those without are named, with the reason.",
)
def baseline_coverage(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge who has a baseline."""
    return _verdict(context, lake, _coverage)


@dg.asset_check(
    asset=volume_baselines,
    partitions_def=SESSIONS,
    description="The last forecasts lay neither too high nor too low, in the last scored session and over five.",
)
def baseline_bias_drift(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the bias of the sessions before."""
    return _verdict(context, lake, lambda store, day: bias_sound(_scored(store, day)))


@dg.asset_check(
    asset=volume_baselines,
    partitions_def=SESSIONS,
    description="The band from q10 to q90 held about 80% of the bars of the last scored sessions.",
)
def baseline_calibration(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the band on the sessions before."""
    return _verdict(context, lake, lambda store, day: calibration_sound(_scored(store, day)))


@dg.asset_check(
    asset=volume_baselines,
    partitions_def=SESSIONS,
    description="The last comparable session went into the baselines, and as many sessions as are wanted.",
)
def baseline_history(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, calculation: CalculationResource
) -> dg.AssetCheckResult:
    """Judge which sessions the baselines are made from."""

    def rule(store: Lake, session: date) -> Finding:
        rows = store.read_sessions(VOLUME_BASELINES.name, [session])
        wanted = _wanted(store, session, rows, calculation.baseline_sessions)
        return history_sound(rows, wanted, _used(context.instance, session), calculation.baseline_sessions)

    return _verdict(context, lake, rule)


@dg.asset_check(
    asset=volume_baselines,
    partitions_def=SESSIONS,
    description="No name's expected volume of the day is a multiple of what the baselines before said, or a fraction.",
)
def baseline_jump(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the baselines against those of the last comparable session."""
    return _verdict(context, lake, _jump)


BASELINE_CHECKS = (baseline_coverage, baseline_bias_drift, baseline_calibration, baseline_history, baseline_jump)


def _verdict(
    context: dg.AssetCheckExecutionContext, lake: LakeResource, rule: Callable[[Lake, date], Finding]
) -> dg.AssetCheckResult:
    """Apply a rule to the session of the run; rows that are not there fail it, with the sentence that says so."""
    (session,) = run_sessions(context)
    try:
        finding = rule(lake.open(), session)
    except MissingInput as error:
        finding = Finding(passed=False, facts={"says": str(error)}, only_warns=True)
    return dg.AssetCheckResult(
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.WARN if finding.only_warns else dg.AssetCheckSeverity.ERROR,
        metadata={"session": str(session), **facts(finding.facts)},
    )


def _coverage(store: Lake, session: date) -> Finding:
    tables = (VOLUME_BASELINES, SUBSCRIPTION_UNIVERSE, INSTRUMENTS)
    baselines, universe, listed = (store.read_sessions(table.name, [session]) for table in tables)
    return coverage_sound(baselines, universe, listed)


def _scored(store: Lake, session: date) -> Mapping[date, Mapping[str, Any]]:
    days = scored_sessions(store, session, SCORED_SESSIONS)
    cards = {day: score_session(store, day, _SCORED_MINUTES) for day in days}
    return {day: card.by_interval.get(CHECKED_MINUTES, card.overall) for day, card in cards.items()}


def _jump(store: Lake, session: date) -> Finding:
    table = load_session_table()
    held = set(store.sessions(VOLUME_BASELINES.name))
    kind = SessionClass.NSE_CASH_FNO
    known = table.is_covered(kind, session) and table.is_session(kind, session)
    before = [day for day in comparable_sessions(table, kind, session, SCORED_SESSIONS) if day in held] if known else []
    rows = store.read_sessions(VOLUME_BASELINES.name, [session])
    earlier = store.read_sessions(VOLUME_BASELINES.name, before[-1:]) if before else None
    return jump_sound(rows, earlier, session, load_corporate_actions())


def _wanted(store: Lake, session: date, rows: pl.DataFrame, count: int) -> dict[str, list[date]]:
    """Return the comparable sessions of each class that has a name among the baselines."""
    listed = store.read_sessions(INSTRUMENTS.name, [session])
    names = stored_day(listed, session).fno_names
    classes: set[SessionClass] = set()
    for one in stored_day(listed.filter(pl.col("token").is_in(rows["token"].unique().implode())), session).instruments:
        try:
            classes.add(session_class(one, names))
        except InstrumentError:
            continue
    every = sessions_wanted(load_session_table(), session, count)
    return {one.name: days for one, days in every.items() if one in classes}


def _used(instance: dg.DagsterInstance, session: date) -> list[date] | None:
    """Return the sessions that the newest materialisation says went in, None without one that tells."""
    asked = dg.AssetRecordsFilter(asset_key=volume_baselines.key, asset_partitions=[str(session)])
    for record in instance.fetch_materializations(asked, limit=1).records:
        made = record.asset_materialization
        told = made.metadata.get(USED) if made is not None else None
        if isinstance(told, dg.JsonMetadataValue) and isinstance(told.data, list):
            return [date.fromisoformat(day) for day in told.data]
    return None
