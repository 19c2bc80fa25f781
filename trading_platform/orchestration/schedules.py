"""Schedules that follow the session table: the session is computed from the hours of the day, never from a partition.

The cron rules only say how often to look. Each session is asked for once, by its run key, also after a downtime.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import dagster as dg

from trading_platform.errors import UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.sessions import SessionClass, SessionTable, load_session_table
from trading_platform.orchestration.resources import JournalsResource

BACKUP_AFTER_CLOSE = timedelta(minutes=45)
"""The evening's own work, bars and checks of the session, is done by then."""

_LATER = {SessionClass.MCX, SessionClass.NSE_CURRENCY, SessionClass.BSE_CURRENCY}
"""Classes that go on after shares and their derivatives; on a day that is theirs alone they count."""


def closes_at(table: SessionTable, session: date) -> datetime:
    """Return when shares, indices and their derivatives are over on a date, closing auctions included.

    A recorded date on which no hours are known is over when the date is.
    """
    open_then = [one for one in SessionClass if table.is_covered(one, session) and table.is_session(one, session)]
    ends: list[datetime] = []
    for one in [each for each in open_then if each not in _LATER] or open_then:
        try:
            ends += [phase.end for phase in table.session(one, session).phases]
        except UnknownSessionDate:  # a special session of which no source tells the hours
            continue
    return max(ends, default=datetime.combine(session + timedelta(days=1), time(), IST))


def due_session(table: SessionTable, recorded: Sequence[date], now: datetime, after: timedelta) -> date | None:
    """Return the newest recorded session that closed at least `after` ago, None when there is none."""
    today = now.astimezone(IST).date()
    past = sorted((session for session in recorded if session <= today), reverse=True)
    return next((session for session in past if closes_at(table, session) + after <= now), None)


def backup_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule that backs up each recorded session once, after its close."""

    @dg.schedule(
        name="backup_after_close",
        job=job,
        cron_schedule="*/15 * * * *",
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Backs everything up once for each recorded session, 45 minutes after its close.",
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
        return dg.RunRequest(run_key=f"backup-{session}")

    return backup_after_close


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
