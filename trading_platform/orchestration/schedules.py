"""Schedules that follow the session table: the session is computed from the hours of the day, never from a partition.

The cron rules only say how often to look. Each session is asked for once, by its run key, also after a downtime.
"""

from datetime import date, timedelta

import dagster as dg

from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.context import PARTITION
from trading_platform.orchestration.day_times import closes_at, due_session
from trading_platform.orchestration.resources import JournalsResource
from trading_platform.orchestration.sensors import UNFINISHED

BACKUP_AFTER_CLOSE = timedelta(minutes=45)
"""The evening's own work, bars and checks of the session, is done by then."""


def backup_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule that backs up each recorded session once, after its close."""

    @dg.schedule(
        name="backup_after_close",
        job=job,
        cron_schedule="*/15 * * * *",
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Backs each recorded session up 45 minutes after its close, unless close_day does or has done so.",
    )
    def backup_after_close(
        context: dg.ScheduleEvaluationContext, journals: JournalsResource
    ) -> dg.RunRequest | dg.SkipReason:
        """Ask for the backup of the newest session that is over."""
        now, table = context.scheduled_execution_time, load_session_table()
        session = due_session(table, journals.sessions(), now, BACKUP_AFTER_CLOSE)
        if session is None:
            return dg.SkipReason(f"no recorded session of shard {journals.shard} is over yet")
        if now - closes_at(table, session) > timedelta(days=4):
            return dg.SkipReason(f"the last recorded session, {session}, is long over: `backup` by hand when wanted")
        if context.instance.get_runs_count(_closings(session)):
            return dg.SkipReason(f"close_day backs {session} up")
        return dg.RunRequest(run_key=f"backup-{session}")

    return backup_after_close


def _closings(session: date) -> dg.RunsFilter:
    """Return the runs of close_day over a session that have made a backup or still may."""
    statuses = [*UNFINISHED, dg.DagsterRunStatus.SUCCESS]
    return dg.RunsFilter(job_name="close_day", tags={PARTITION: str(session)}, statuses=statuses)


def backup_check_schedule(job: str) -> dg.ScheduleDefinition:
    """Return the schedule that runs a job, by its name, which judges the age of the last backup each morning."""
    return dg.ScheduleDefinition(
        name="backup_age_every_morning",
        job_name=job,
        cron_schedule="0 8 * * *",
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs the check on the age of the last good backup before the open.",
    )
