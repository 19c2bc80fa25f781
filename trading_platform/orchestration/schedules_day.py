"""When the jobs of a day are launched: an hour before the first phase, and when the session is over.

The cron rules only say how often to look; which session it is follows from the session table and, in the evening, from
what was recorded. What was missed while the daemon was down runs once when it is up again.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import dagster as dg

from trading_platform.errors import UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.sessions import SessionTable, load_session_table
from trading_platform.orchestration import job_close_day, job_prepare_day
from trading_platform.orchestration.context import PARTITION
from trading_platform.orchestration.day_times import opens_at, over_sessions, session_to_prepare
from trading_platform.orchestration.job_close_day import PATTERN_RUNS
from trading_platform.orchestration.jobs import Definition
from trading_platform.orchestration.resources import JournalsResource, KiteResource
from trading_platform.orchestration.sensors import UNFINISHED
from trading_platform.settings import Settings

PREPARE_BEFORE_OPEN = timedelta(minutes=60)
"""Kite's dump of the day is there by then; a backfill of 9,000 instruments takes most of an hour."""

ATTEMPTS, ATTEMPT_EVERY = 4, timedelta(minutes=15)
"""How often the morning is tried again after a failure, which is most often a login that came late."""

CLOSE_AFTER = timedelta(minutes=20)
"""After the last phase: the feed waits for candles of its gaps, the engine closes its last bars."""

CATCH_UP = timedelta(days=7)
"""How old a session may be that was recorded and never closed; older ones are closed by hand."""

_LOOK = "*/5 * * * *"


def day_jobs(
    settings: Settings, definitions: Sequence[Definition], resources: Mapping[str, object]
) -> list[dg.JobDefinition]:
    """Return the job of the morning and that of the evening."""
    return [
        job_prepare_day.prepare_day_job(definitions, resources),
        job_close_day.close_day_job(settings, definitions, resources),
    ]


def day_schedules(jobs: Mapping[str, dg.JobDefinition]) -> list[dg.ScheduleDefinition]:
    """Return the schedules of both."""
    return [prepare_schedule(jobs[job_prepare_day.NAME]), close_schedule(jobs[job_close_day.NAME])]


def prepare_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule that prepares each session before its open."""

    @dg.schedule(
        name="prepare_day_before_open",
        job=job,
        cron_schedule=_LOOK,
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Prepares each session once, from an hour before its first phase; tries again until it opens.",
    )
    def prepare_day_before_open(
        context: dg.ScheduleEvaluationContext, kite: KiteResource
    ) -> dg.RunRequest | dg.SkipReason:
        """Ask for the session that runs or comes next, when it is time and its instruments can be had."""
        now, table = context.scheduled_execution_time, load_session_table()
        try:
            session = session_to_prepare(table, now)
        except UnknownSessionDate as error:
            return dg.SkipReason(str(error))
        wait = _too_early(table, session, now) or _without_dump(session, kite)
        return dg.SkipReason(wait) if wait else _attempt(context.instance, table, session, now)

    return prepare_day_before_open


def close_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule that closes each recorded session after its close."""

    @dg.schedule(
        name="close_day_after_close",
        job=job,
        cron_schedule=_LOOK,
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Closes each recorded session once, 20 minutes after its last phase, also after a downtime.",
    )
    def close_day_after_close(
        context: dg.ScheduleEvaluationContext, journals: JournalsResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        """Ask for every session that is over and was not closed, the oldest first."""
        if context.instance.get_runs_count(PATTERN_RUNS):
            return dg.SkipReason("a pattern run is under way on the same tables: looking again in 5 minutes")
        now, table = context.scheduled_execution_time, load_session_table()
        over = over_sessions(table, journals.sessions(), now, CLOSE_AFTER)
        recent = [session for session in over if now.date() - session <= CATCH_UP]
        due = [session for session in recent if not _runs(context.instance, job_close_day.NAME, session)]
        if not due:
            return dg.SkipReason(f"no recorded session of shard {journals.shard} is over and was not closed")
        return [dg.RunRequest(run_key=f"close-{session}", partition_key=str(session)) for session in due]

    return close_day_after_close


def _too_early(table: SessionTable, session: date, now: datetime) -> str | None:
    opens = opens_at(table, session)
    if opens is None:
        return f"no source tells the hours of {session}: prepare it by hand"
    begin = opens - PREPARE_BEFORE_OPEN
    return f"the next session, {session}, is prepared from {begin:%Y-%m-%d %H:%M} on" if now < begin else None


def _without_dump(session: date, kite: KiteResource) -> str | None:
    if session in kite.dump_sessions() or kite.access().can_ask():
        return None
    return f"nobody is logged in to Kite, and there is no dump of {session}: log in, or put its file into the folder"


def _attempt(
    instance: dg.DagsterInstance, table: SessionTable, session: date, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """Ask for the next attempt when it is due: the first at once, another after a failure while it still helps."""
    runs = _runs(instance, job_prepare_day.NAME, session)
    if any(run.status in {*UNFINISHED, dg.DagsterRunStatus.SUCCESS} for run in runs):
        return dg.SkipReason(f"{session} is prepared, or being prepared")
    opens = opens_at(table, session) or now
    attempts_due = 1 + (now - (opens - PREPARE_BEFORE_OPEN)) // ATTEMPT_EVERY
    if runs and (now >= opens or len(runs) >= min(attempts_due, ATTEMPTS)):
        return dg.SkipReason(f"preparing {session} failed {len(runs)} times: see its last run, mend that, launch it")
    again = f"-{len(runs) + 1}" if runs else ""
    return dg.RunRequest(run_key=f"prepare-{session}{again}", partition_key=str(session))


def _runs(instance: dg.DagsterInstance, job: str, session: date) -> Sequence[dg.DagsterRun]:
    """Return the runs of a job over a session, launched by whomever."""
    return instance.get_runs(dg.RunsFilter(job_name=job, tags={PARTITION: str(session)}))
