"""When the platform tidies up: the lake on a week-end day without a session, Dagster's runs every morning."""

from datetime import datetime, timedelta

import dagster as dg

from trading_platform.errors import UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.sessions import SessionTable, load_session_table

_SATURDAY = 5


def compact_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule that compacts the lake once a week, when no exchange is open."""

    @dg.schedule(
        name="compact_lake_weekly",
        job=job,
        cron_schedule="0 11 * * 6,0",
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Compacts the lake on Saturday, or on Sunday when Saturday has a session.",
    )
    def compact_lake_weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Ask for one run each week-end, on its first day without a session."""
        return due_compaction(load_session_table(), context.scheduled_execution_time)

    return compact_lake_weekly


def due_compaction(table: SessionTable, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """Ask for the compaction of a week-end, once by its key, on a day that is known to have no session."""
    day = now.astimezone(IST).date()
    try:
        if table.any_session_dates(day, day):
            return dg.SkipReason(f"{day} has a session")
    except UnknownSessionDate as error:
        return dg.SkipReason(f"whether {day} has a session is not known: {error}")
    saturday = day - timedelta(days=day.weekday() - _SATURDAY)
    return dg.RunRequest(run_key=f"compact-{saturday}")


def prune_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule that lets old runs go once a day, before anybody works."""

    @dg.schedule(
        name="prune_runs_daily",
        job=job,
        cron_schedule="30 5 * * *",
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes runs and events of Dagster that are older than runs_keep_days.",
    )
    def prune_runs_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Ask for one run a day."""
        return dg.RunRequest(run_key=f"prune-{context.scheduled_execution_time.astimezone(IST):%Y-%m-%d}")

    return prune_runs_daily
