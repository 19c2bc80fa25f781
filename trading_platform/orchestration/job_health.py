"""Health in Dagster: the asset whose observations plot over time, its check, and the job that looks once."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from trading_platform.health.checks_host import DaemonFacts
from trading_platform.health.findings import Finding, Level
from trading_platform.health.look import Health, look
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.asset_operations import GROUP, latency_picture
from trading_platform.orchestration.daemons import heartbeat_ages
from trading_platform.orchestration.metadata import OWNERS
from trading_platform.settings import Settings
from trading_platform.supervision.status import process_facts

CHECK = "all_is_well"

HEALTH = dg.AssetSpec(
    "platform_health",
    deps=["frames_journal", "live_bars"],
    group_name=GROUP,
    description="What the checks of `trading-platform health` find, each time that somebody looks or a level changes.",
    owners=OWNERS,
    kinds={"python"},
    metadata={"made_by": "sensor health_over_time and job health_check, with the code of `trading-platform health`"},
)


class FailAt(Enum):
    """From which level on a run fails."""

    red = "red"
    degraded = "degraded"
    never = "never"


class HealthConfig(dg.Config):
    """When a look at the platform's health is a failure."""

    fail_at: FailAt = Field(
        default=FailAt.red, description="level from which on the run fails: red, degraded, or never; less is a warning"
    )


def health_check_job(settings_now: Callable[[], Settings]) -> dg.JobDefinition:
    """Return the job."""

    @dg.op(description="Look at feed, engine, Redis, disk, token, baseline, Dagster and backups, and judge.")
    def look_at_health(context: dg.OpExecutionContext, config: HealthConfig) -> None:
        """Record what is found; fail when it is as bad as the configuration says."""
        found = look_from_here(settings_now(), context.instance)
        for event in health_events(found):
            context.instance.report_runless_asset_event(event)
        context.add_output_metadata({**figures_of(found), "findings": table_of(found)})
        ill = [told(one) for one in found.findings if one.level is not Level.GREEN]
        for line in ill:
            context.log.warning(line)
        if found.level >= _LIMITS[config.fail_at]:
            raise dg.Failure(f"shard {found.shard} is {found.level.word}: " + "; ".join(ill), allow_retries=False)

    @dg.job(name="health_check", description="Says what is wrong with the platform; fails when that is red.")
    def health_check() -> None:
        look_at_health()

    return health_check


def health_asset_check(settings_now: Callable[[], Settings]) -> dg.AssetChecksDefinition:
    """Return the check that looks when it is asked to."""

    @dg.asset_check(asset=HEALTH.key, name=CHECK, description="No check of `trading-platform health` is red.")
    def all_is_well(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Judge once."""
        found = look_from_here(settings_now(), context.instance)
        return dg.AssetCheckResult(
            passed=found.level is Level.GREEN, severity=_severity(found), metadata={"findings": table_of(found)}
        )

    return all_is_well


def look_from_here(settings: Settings, instance: dg.DagsterInstance) -> Health:
    """Look with the code of the command; what Dagster's daemons do is asked of this instance."""

    def daemons() -> DaemonFacts:
        return DaemonFacts(asked=True, heartbeat_ages=heartbeat_ages(instance))

    return look(settings, load_session_table(), daemons=daemons, processes=lambda: process_facts(settings))


def health_events(found: Health) -> list[dg.AssetObservation | dg.AssetCheckEvaluation]:
    """Return a health as Dagster keeps it: an observation whose numbers plot over time, and a verdict."""
    findings = table_of(found)
    verdict = dg.AssetCheckEvaluation(
        asset_key=HEALTH.key,
        check_name=CHECK,
        passed=found.level is Level.GREEN,
        severity=_severity(found),
        metadata={"findings": findings},
    )
    shown: dict[str, Any] = {**figures_of(found), "findings": findings}
    if any(one.count for one in found.latency.values()):
        shown["latency"] = latency_picture(found.latency)
    return [dg.AssetObservation(asset_key=HEALTH.key, metadata=shown), verdict]


def figures_of(found: Health) -> dict[str, int | float | str]:
    """Return the levels as numbers (0 green, 1 degraded, 2 red) and all known figures, so that they plot over time."""
    levels = {f"level_{one.name}": int(one.level) for one in found.findings}
    figures = {
        f"{one.name}_{name}": value
        for one in found.findings
        for name, value in one.figures.items()
        if isinstance(value, int | float)
    }
    return {"level": int(found.level), "level_word": found.level.word, "shard": found.shard, **levels, **figures}


def table_of(found: Health) -> dg.TableMetadataValue:
    """Return all findings as a table."""
    rows = [
        {"check": one.name, "level": one.level.word, "says": one.says, "advice": one.advice or ""}
        for one in found.findings
    ]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])


def told(finding: Finding) -> str:
    """Return a finding as a sentence."""
    advice = f" ({finding.advice})" if finding.advice else ""
    return f"{finding.name} is {finding.level.word}: {finding.says}{advice}"


_LIMITS: dict[FailAt, float] = {FailAt.red: Level.RED, FailAt.degraded: Level.DEGRADED, FailAt.never: float("inf")}


def _severity(found: Health) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if found.level is Level.RED else dg.AssetCheckSeverity.WARN
