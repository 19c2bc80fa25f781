"""The job that lets old runs and events go: the same steps as `trading-platform prune-runs`."""

from dataclasses import asdict
from pathlib import Path

import dagster as dg
from pydantic import Field

from trading_platform.market.clock import Clock
from trading_platform.orchestration.run_retention import prune_runs
from trading_platform.settings import Settings


class PruneRunsConfig(dg.Config):
    """Which runs to delete."""

    keep_days: int | None = Field(
        default=None, ge=7, le=3660, description="days of runs to keep; left out: the setting runs_keep_days"
    )
    dry_run: bool = Field(default=False, description="say what would go, and delete nothing")


def prune_runs_job(settings: Settings) -> dg.JobDefinition:
    """Return the job that prunes the instance that it runs in."""

    @dg.op(description="Delete runs that ended long ago with their files; keep the last state of each asset.")
    def prune(context: dg.OpExecutionContext, config: PruneRunsConfig) -> None:
        """Prune, and tell what went and what stayed."""
        days = config.keep_days or settings.runs_keep_days
        home = Path(context.instance.root_directory)
        done = prune_runs(context.instance, home, keep_days=days, now=Clock.wall().now(), dry_run=config.dry_run)
        for name in done.busy:
            context.log.warning("%s was busy and keeps its size; its room is used again", name)
        context.add_output_metadata({**asdict(done), "busy": ", ".join(done.busy) or "none", "keep_days": days})

    @dg.job(name="prune_runs", description="Deletes runs and events of Dagster that are older than runs_keep_days.")
    def prune_old_runs() -> None:
        prune()

    return prune_old_runs
