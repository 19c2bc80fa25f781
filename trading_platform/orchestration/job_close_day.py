"""The job of the evening: a session worked up from its journal, proven, and backed up."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
from pydantic import Field

from trading_platform.errors import PlatformError, TookTooLong
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.context import JOB, PARTITION
from trading_platform.orchestration.day_steps import LONGEST_RUN_SECONDS, Steps
from trading_platform.orchestration.day_times import due_session
from trading_platform.orchestration.job_backup import BackupConfig, back_up_now
from trading_platform.orchestration.jobs import MAX_RUNTIME, Definition, Launcher, recompute
from trading_platform.orchestration.partitions import SESSIONS, require_session
from trading_platform.orchestration.resources import JournalsResource, RedisManagerResource
from trading_platform.orchestration.sensors import UNFINISHED
from trading_platform.settings import Settings

NAME = "close_day"
PATTERN_RUNS = dg.RunsFilter(tags={JOB: "run_patterns"}, statuses=UNFINISHED)
"""Those that are under way: they work on the same tables."""

_POLL_SECONDS = 0.5


class CloseConfig(dg.Config):
    """Which session to close, and how."""

    session: str = Field(default="", description="YYYY-MM-DD; empty: that of the partition, else the newest recorded")
    backup: bool = Field(default=True, description="back everything up at the end")
    wait_seconds: int = Field(default=1800, ge=0, description="how long to wait for pattern runs that are under way")


def close_day_job(
    settings: Settings, definitions: Sequence[Definition], resources: Mapping[str, object]
) -> dg.JobDefinition:
    """Return the job of the evening."""
    launcher = Launcher(definitions, resources)

    @dg.op(description="Ticks and bars from the journal, live == replay, snapshots, patterns, profiles, a backup.")
    def close(
        context: dg.OpExecutionContext,
        config: CloseConfig,
        journals: JournalsResource,
        redis_manager: RedisManagerResource,
    ) -> None:
        """Close a session; the backup is made whatever went wrong before it."""
        session = _session(context, config, journals)
        steps = Steps(context)
        steps.do("waiting for pattern runs", lambda: _wait(context.instance, config.wait_seconds))
        steps.do("ticks", lambda: launcher.materialise(context, ("ticks",), session, session))
        steps.do(
            "bars, snapshots and patterns",
            lambda: recompute(context, launcher, session, journals=journals, redis_manager=redis_manager),
        )
        steps.do("volume profiles", lambda: launcher.materialise(context, ("volume_profiles",), session, session))
        steps.do("straddle volumes", lambda: launcher.materialise(context, ("straddle_volumes",), session, session))
        if config.backup:
            steps.do("backup", lambda: _back_up(context, settings, redis_manager))
        steps.end()

    @dg.job(
        name=NAME,
        partitions_def=SESSIONS,
        tags={JOB: NAME, MAX_RUNTIME: str(LONGEST_RUN_SECONDS)},
        description="The evening: ticks, bars, live == replay, snapshots, patterns, profiles of a session, a backup.",
    )
    def close_day() -> None:
        close()

    return close_day


def _session(context: dg.OpExecutionContext, config: CloseConfig, journals: JournalsResource) -> date:
    table = load_session_table()
    named = config.session or context.run.tags.get(PARTITION, "")
    try:
        session = (
            require_session(named, table) if named else due_session(table, journals.sessions(), Clock.wall().now())
        )
    except PlatformError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if session is None:
        raise dg.Failure(f"no recorded session of shard {journals.shard} is over: name one", allow_retries=False)
    return session


def _wait(instance: dg.DagsterInstance, seconds: int) -> None:
    """Wait until no pattern run is under way; raise TookTooLong."""
    until = elapsed_ns() + seconds * NS_PER_SECOND
    while instance.get_runs_count(PATTERN_RUNS):
        if elapsed_ns() >= until:
            raise TookTooLong(f"run_patterns has not ended within {seconds} s: closed the session beside it")
        pause(_POLL_SECONDS)


def _back_up(context: dg.OpExecutionContext, settings: Settings, redis_manager: RedisManagerResource) -> None:
    if faults := back_up_now(context, settings, BackupConfig(), redis_manager):
        raise dg.Failure("it was made, but: " + "; ".join(faults), allow_retries=False)
