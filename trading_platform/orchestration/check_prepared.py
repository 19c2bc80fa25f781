"""The check of the morning: whether all that the next open needs is there, looked at until it opens."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

import dagster as dg

from trading_platform.errors import PlatformError
from trading_platform.market.clock import IST, Clock
from trading_platform.market.sessions import SessionTable, load_session_table
from trading_platform.orchestration.day_times import opens_at, session_to_prepare
from trading_platform.orchestration.job_health import HEALTH
from trading_platform.orchestration.job_prepare_day import NAME as PREPARE
from trading_platform.orchestration.resources import KiteResource, LakeResource
from trading_platform.wire.lake_tables import INDICATOR_SEEDS, INSTRUMENTS, SUBSCRIPTION_UNIVERSE, VOLUME_BASELINES

NEEDED = (INSTRUMENTS, SUBSCRIPTION_UNIVERSE, VOLUME_BASELINES, INDICATOR_SEEDS)
JOB = "check_prepared"

LOOK_BEFORE_OPEN = timedelta(minutes=40)
"""The morning's job begins an hour before the open; what is missing now still can be mended."""
LATE_BEFORE_OPEN = timedelta(minutes=20)
"""From here on what is missing is an error."""


@dg.asset_check(
    asset=HEALTH.key,
    description="Instruments, universe, baselines and seeds of the session that runs or opens next are in the lake.",
)
def today_is_prepared(lake: LakeResource, kite: KiteResource) -> dg.AssetCheckResult:
    """Judge what the morning has left for the session; what Redis holds of it is the business of health."""
    now, today = Clock.wall().now(), kite.access().today()
    if today != now.date():  # a simulated exchange trades another day
        now = datetime.combine(today, time(), IST)
    store = lake.open()
    return judge({table.name: store.counts(table.name) for table in NEEDED}, now, load_session_table())


def judge(held: Mapping[str, Mapping[date, int]], now: datetime, table: SessionTable) -> dg.AssetCheckResult:
    """Judge the rows that each needed table holds by session; missing ones are an error shortly before the open."""
    try:
        session = session_to_prepare(table, now)
    except PlatformError as error:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.ERROR, metadata={"says": str(error), "what_to_do": "see there"}
        )
    opens = opens_at(table, session)
    rows = {name: held.get(name, {}).get(session, 0) for name in (one.name for one in NEEDED)}
    missing = [name for name, count in rows.items() if not count]
    late = opens is None or now >= opens - LATE_BEFORE_OPEN
    when = "at hours that are not known" if opens is None else f"at {opens:%Y-%m-%d %H:%M}"
    lacking = f"lacks {', '.join(missing)}" if missing else "is prepared"
    what = f"dagster job execute -m trading_platform.definitions -j {PREPARE}" if missing else "nothing"
    return dg.AssetCheckResult(
        passed=not missing,
        severity=dg.AssetCheckSeverity.ERROR if late else dg.AssetCheckSeverity.WARN,
        metadata={
            "says": f"session {session}, which opens {when}, {lacking}",
            "what_to_do": what,
            "session": str(session),
            **{f"rows_of_{name}": count for name, count in rows.items()},
        },
    )


CHECK_PREPARED = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.checks(today_is_prepared),
    description="Judges whether all that the next open needs is in the lake.",
)


def prepared_check_schedule() -> dg.ScheduleDefinition:
    """Return the schedule that looks every ten minutes, in the last forty before the open of a session."""

    @dg.schedule(
        name="prepared_before_open",
        job_name=JOB,
        cron_schedule="*/10 * * * *",
        execution_timezone=str(IST),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs the check that today is prepared every ten minutes, from 40 minutes before the first phase.",
    )
    def prepared_before_open(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Ask for a look shortly before the open."""
        now, table = context.scheduled_execution_time, load_session_table()
        try:
            opens = opens_at(table, session_to_prepare(table, now))
        except PlatformError as error:
            return dg.SkipReason(str(error))
        if opens is None or not opens - LOOK_BEFORE_OPEN <= now <= opens:
            return dg.SkipReason("no session opens within 40 minutes")
        return dg.RunRequest(run_key=f"prepared-{now:%Y-%m-%dT%H:%M}")

    return prepared_before_open
