"""The sensor that tells of runs that failed: each one once, also those that failed while nobody looked."""

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg
import orjson
from dagster import DagsterEventType, RunStatusChangeRecordsFilter

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.orchestration.alerts import Alert, deliver
from trading_platform.orchestration.context import STARTED_BY
from trading_platform.orchestration.webhook import BUDGET_SECONDS
from trading_platform.settings import Settings

NAME = "run_failures"
BLOCK_SECONDS = 4.5
"""A tick begins no alert that may last beyond this."""

MOST_TRIES = 20
"""How often a failed run is posted to a webhook that is away, a tick each: five minutes."""

_FETCHED = 25


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last failure that was told, and how often the next one was tried in vain."""

    event: int
    tries: int = 0

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor."""
        return cls(**orjson.loads(text))

    def text(self) -> str:
        """Write the cursor down."""
        return orjson.dumps(self).decode()


def run_failures_sensor(settings_now: Callable[[], Settings]) -> dg.SensorDefinition:
    """Return the sensor."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs each run that failed, and posts it to alert_webhook_url.",
    )
    def run_failures(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Tell of the failures since the last one; at the first look there is nothing to tell."""
        if context.cursor is None:
            last = _failures(context.instance, after=None, most=1, ascending=False)
            begin = Cursor(last[0].storage_id if last else -1)
            return dg.SensorResult(skip_reason="failures are told from now on", cursor=begin.text())
        cursor, told = _tell(context.instance, Cursor.parse(context.cursor), settings_now())
        return dg.SensorResult(skip_reason=told or "no run failed", cursor=cursor.text())

    return run_failures


def _tell(instance: dg.DagsterInstance, cursor: Cursor, settings: Settings) -> tuple[Cursor, str]:
    """Tell one failure after the other while there is time; return how far that went, and what was done."""
    until = elapsed_ns() + int((BLOCK_SECONDS - BUDGET_SECONDS) * NS_PER_SECOND)
    told: list[str] = []
    for record in _failures(instance, after=cursor.event, most=_FETCHED, ascending=True):
        if elapsed_ns() > until:
            break
        run = instance.get_run_by_id(record.run_id)
        if run is None or STARTED_BY in run.tags:  # the run that started it fails of it, and is told
            cursor = Cursor(record.storage_id)
            continue
        delivery = deliver(_alert(run, record.event_log_entry), settings, is_logged=cursor.tries > 0)
        told.append(f"{run.job_name} {run.run_id[:8]}: {delivery}")
        if not delivery.is_done and cursor.tries + 1 < MOST_TRIES:
            return Cursor(cursor.event, cursor.tries + 1), "; ".join(told)
        cursor = Cursor(record.storage_id)
    return cursor, "; ".join(told)


def _failures(
    instance: dg.DagsterInstance, *, after: int | None, most: int, ascending: bool
) -> list[dg.EventLogRecord]:
    wanted = RunStatusChangeRecordsFilter(DagsterEventType.RUN_FAILURE, after_storage_id=after)
    return list(instance.fetch_run_status_changes(wanted, limit=most, ascending=ascending).records)


def _alert(run: dg.DagsterRun, entry: dg.EventLogEntry) -> Alert:
    facts = {
        "run_id": run.run_id,
        "job": run.job_name,
        "partition": run.tags.get("dagster/partition"),
        "will_be_retried": run.tags.get("dagster/will_retry", "false"),
    }
    advice = f"open run {run.run_id} in the Dagster UI, or: dagster debug export {run.run_id} run.gz"
    return Alert("run_failed", "red", f"job {run.job_name} failed: {_reason(entry)}", advice, facts)


def _reason(entry: dg.EventLogEntry) -> str:
    """Return the innermost error of the step that failed first, else what Dagster says of the run."""
    event = entry.dagster_event
    if event is None:
        return entry.user_message
    error = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else event.message or "no reason was recorded"
