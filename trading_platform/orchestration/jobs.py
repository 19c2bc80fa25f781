"""Jobs that find their session themselves: by partition, by configuration, else the latest one with input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from trading_platform.errors import PlatformError
from trading_platform.market.sessions import SessionTable, load_session_table
from trading_platform.orchestration.context import (
    FROM_RECORD,
    JOB,
    PARTITION,
    RANGE_END,
    RANGE_START,
    STARTED_BY,
    TO_RECORD,
    record_span,
)
from trading_platform.orchestration.live_check import report, verdict
from trading_platform.orchestration.partitions import (
    SESSIONS,
    contiguous,
    latest_session_with_input,
    require_session,
    table_span,
)
from trading_platform.orchestration.past_bars import sessions_without_bars
from trading_platform.orchestration.resources import (
    CalculationResource,
    JournalsResource,
    KiteResource,
    LakeResource,
    RedisManagerResource,
)
from trading_platform.wire.lake_tables import IMPORTED_BARS, MINUTE_BARS

BASELINE_ASSETS = ("instruments", "subscription_universe", "volume_baselines", "indicator_seeds")
PATTERN_ASSETS = ("minute_bars", "indicator_snapshots", "patterns")

MAX_RUNTIME = "dagster/max_runtime"
_PASSED_ON = {FROM_RECORD, TO_RECORD, MAX_RUNTIME}

Definition = dg.AssetsDefinition | dg.AssetChecksDefinition


class AssetsFailed(dg.Failure):
    """Assets that could not be materialised; a failed check is another failure."""


class SessionConfig(dg.Config):
    """Which session to work on, as YYYY-MM-DD; empty: that of the partition, else the latest one with input."""

    session: str = Field(
        default="", description="session as YYYY-MM-DD; empty: that of the partition, else the latest one with input"
    )


@dataclass(frozen=True)
class Launcher:
    """Materialises assets with their checks in this process, as a run of its own under its partition."""

    definitions: Sequence[Definition]
    resources: Mapping[str, object]

    def materialise(self, context: dg.OpExecutionContext, names: Sequence[str], first: date, last: date) -> None:
        """Materialise from `first` to `last`, both included; raise AssetsFailed naming the failed steps."""
        one = {PARTITION: first.isoformat()}
        several = {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
        tags = one if first == last else several
        self._run(context, names, tags, partition_key=first.isoformat() if first == last else None)

    def materialise_whole(self, context: dg.OpExecutionContext, name: str, config: Mapping[str, Any]) -> None:
        """Materialise an asset that has no partitions with a configuration; raise AssetsFailed."""
        self._run(context, (name,), {}, run_config={"ops": {name: {"config": dict(config)}}})

    def _run(self, context: dg.OpExecutionContext, names: Sequence[str], tags: Mapping[str, str], **given: Any) -> None:
        passed_on = {name: value for name, value in context.run.tags.items() if name in _PASSED_ON}
        result = dg.materialize(
            self.definitions,
            selection=dg.AssetSelection.assets(*names),
            instance=context.instance,
            resources=self.resources,
            tags={**passed_on, STARTED_BY: context.run_id, **tags},
            raise_on_error=False,
            **given,
        )
        if not result.success:
            raise AssetsFailed(_story(result, names), allow_retries=False)
        _refuse_failed_checks(context, result)


def platform_jobs(definitions: Sequence[Definition], resources: Mapping[str, object]) -> list[dg.JobDefinition]:
    """Return the jobs that `dagster job execute` runs by name, with or without a partition."""
    launcher = Launcher(definitions, resources)

    @dg.op(description="Find the session, make bars that are missing before it, then its baselines and seeds.")
    def prepare_session(
        context: dg.OpExecutionContext,
        config: SessionConfig,
        lake: LakeResource,
        journals: JournalsResource,
        kite: KiteResource,
        calculation: CalculationResource,
    ) -> None:
        """Materialise what the engine needs before the open."""
        session = choose_session(context, config, lake, journals, dumps=kite.dump_sessions())
        back = max(calculation.baseline_sessions, calculation.seed_sessions)
        make_missing_bars(context, launcher, session, sessions_behind(session, back, lake, journals))
        launcher.materialise(context, BASELINE_ASSETS, session, session)

    @dg.op(
        description="Find the session and recompute its bars, indicators and signals up to the last closed interval."
    )
    def recompute_session(
        context: dg.OpExecutionContext,
        config: SessionConfig,
        lake: LakeResource,
        journals: JournalsResource,
        redis_manager: RedisManagerResource,
    ) -> None:
        """Materialise what follows from a session's journal, and compare it with what the engine wrote."""
        session = choose_session(context, config, lake, journals)
        recompute(context, launcher, session, journals=journals, redis_manager=redis_manager)

    @dg.job(
        partitions_def=SESSIONS,
        tags={JOB: "materialize_baselines"},
        description="Volume baselines and indicator seeds of a session, ready for the engine before the open.",
    )
    def materialize_baselines() -> None:
        prepare_session()

    @dg.job(
        partitions_def=SESSIONS,
        tags={JOB: "run_patterns"},
        description="Bars, indicators and signals of a session from its journal, compared with the live record.",
    )
    def run_patterns() -> None:
        recompute_session()

    return [materialize_baselines, run_patterns]


def sessions_behind(session: date, back: int, lake: LakeResource, journals: JournalsResource) -> list[date]:
    """Return the sessions before `session` that have input for minute bars, but not its bars."""
    table = load_session_table()
    return sessions_without_bars(table, session, back, lake=lake.open(), journals=journals.sessions())


def make_missing_bars(
    context: dg.OpExecutionContext, launcher: Launcher, session: date, missing: Sequence[date]
) -> None:
    """Materialise the minute bars of sessions before `session`, stretches of neighbours in one run each."""
    table = load_session_table()
    for first, last in contiguous(missing, table.any_session_dates(table_span(table)[0], session)):
        context.log.info("minute_bars are made first for %s to %s", first, last)
        launcher.materialise(context, ("minute_bars",), first, last)


def recompute(
    context: dg.OpExecutionContext,
    launcher: Launcher,
    session: date,
    *,
    journals: JournalsResource,
    redis_manager: RedisManagerResource,
) -> None:
    """Materialise what follows from a session's journal, and compare it with what the engine wrote."""
    try:
        launcher.materialise(context, PATTERN_ASSETS, session, session)
    except AssetsFailed:
        # a damaged journal stops the assets, and the proof must turn red all the same
        if session in journals.sessions():
            span = record_span(context.run.tags)
            report(context.instance, session, verdict(redis_manager, journals, session, span))
        raise


def choose_session(
    context: dg.OpExecutionContext,
    config: SessionConfig,
    lake: LakeResource,
    journals: JournalsResource,
    *,
    dumps: Sequence[date] = (),
) -> date:
    """Return the session that the run is for; a date that is none fails the run by its name.

    Of what is to come only `dumps` tell: a session with a dump can be prepared before anything of it is recorded.
    """
    named = config.session or context.run.tags.get(PARTITION, "")
    table = load_session_table()
    try:
        if named:
            return require_session(named, table)
        store = lake.open()
        tables = [*store.sessions(IMPORTED_BARS.name), *store.sessions(MINUTE_BARS.name)]
        session, holder = latest_session_with_input(journals.sessions(), [*tables, *_of_sessions(dumps, table)])
        context.log.info("no session was named: %s is the latest for which %s holds input", session, holder)
        return require_session(session.isoformat(), table)
    except PlatformError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _of_sessions(dumps: Sequence[date], table: SessionTable) -> list[date]:
    """Return the days that are sessions: a dump may be of a Sunday."""
    first, last = table_span(table)
    return [day for day in dumps if first <= day <= last and table.any_session_dates(day, day)]


def _story(result: dg.ExecuteInProcessResult, names: Sequence[str]) -> str:
    failures = [event for event in result.all_events if event.is_step_failure]
    told = [f"{event.step_key}: {_root(event)}" for event in failures]
    return "; ".join(told) or f"{', '.join(names)} could not be materialised: see run {result.run_id}"


def _root(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "no reason was recorded"


def _refuse_failed_checks(context: dg.OpExecutionContext, result: dg.ExecuteInProcessResult) -> None:
    """Fail the run when a check failed as an error; a warning is logged."""
    broken = []
    for one in result.get_asset_check_evaluations():
        if one.passed:
            continue
        line = f"check {one.check_name} of {one.asset_key.to_user_string()} failed: {_shown(one)}"
        if one.severity is dg.AssetCheckSeverity.WARN:
            context.log.warning(line)
        else:
            broken.append(line)
    if broken:
        raise dg.Failure("; ".join(broken), allow_retries=False)


def _shown(evaluation: dg.AssetCheckEvaluation) -> str:
    return ", ".join(f"{name}: {value.value}" for name, value in evaluation.metadata.items())
