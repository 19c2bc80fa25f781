"""The job that looks into one instrument, on the same code as `trading-platform debug`."""

from typing import Any

import dagster as dg
from pydantic import Field

from trading_platform.errors import PlatformError
from trading_platform.inspection.debug import debug_instrument
from trading_platform.inspection.page import difference_lines, page
from trading_platform.inspection.question import Question
from trading_platform.inspection.report import as_values
from trading_platform.orchestration.resources import LakeResource, RedisManagerResource
from trading_platform.settings import Settings

_NAMED = 5


class DebugConfig(dg.Config):
    """Which instrument, up to when, and which pattern is in question."""

    symbol: str = Field(description="trading symbol, EXCHANGE:SYMBOL or token")
    at: str = Field(default="", description="only what came until then: HH:MM[:SS] or an ISO timestamp; empty: all")
    session: str = Field(default="", description="date of the session; empty: the newest that has a journal")
    why_not: str = Field(default="", description="name of the pattern whose conditions are shown bar by bar, or empty")


def debug_pipeline_job(settings: Settings) -> dg.JobDefinition:
    """Return the job that debugs one instrument of what these settings place."""

    @dg.op(description="Recompute one instrument from its journal, compare it with Redis and the lake.")
    def debug_symbol(
        context: dg.OpExecutionContext, config: DebugConfig, redis_manager: RedisManagerResource, lake: LakeResource
    ) -> None:
        """Show the report as metadata; what differs fails the run, by name."""
        question = Question(config.symbol, config.at or None, config.why_not or None, config.session or None)
        manager = redis_manager.manager()
        try:
            report = debug_instrument(settings, question, manager=manager, lake=lake.open())
        except PlatformError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        finally:
            manager.close()
        metadata: dict[str, Any] = {
            "report": dg.MetadataValue.md(f"```text\n{page(report)}\n```"),
            "differences": len(report.differences),
            "different": dg.MetadataValue.json(as_values(report)["differences"]),
        }
        context.add_output_metadata(metadata)
        if report.differences:
            raise dg.Failure(
                f"{len(report.differences)} differences: " + "; ".join(difference_lines(report)[:_NAMED]),
                metadata=metadata,
                allow_retries=False,
            )

    @dg.job(name="debug_pipeline", description="Recomputes one instrument from its journal and marks what differs.")
    def debug_pipeline() -> None:
        debug_symbol()

    return debug_pipeline
