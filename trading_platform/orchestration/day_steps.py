"""Steps of a day's job: one that fails does not keep the others from their work, and the run fails at its end."""

from collections.abc import Callable
from dataclasses import dataclass, field

import dagster as dg

from trading_platform.errors import PlatformError
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

LONGEST_RUN_SECONDS = 4 * 3600
"""A first backfill of 9,000 instruments takes most of an hour."""


@dataclass
class Steps:
    """Does one thing after the other and keeps what went wrong."""

    context: dg.OpExecutionContext
    wrong: list[str] = field(default_factory=list)

    def do(self, what: str, step: Callable[[], None]) -> bool:
        """Do a step; return whether it went well."""
        begun = elapsed_ns()
        try:
            step()
        except (dg.Failure, PlatformError) as error:
            told = error.description if isinstance(error, dg.Failure) else str(error)
            self.wrong.append(f"{what}: {told}")
            self.context.log.exception("%s failed: %s", what, told)
            return False
        self.context.log.info("%s: done in %.1f s", what, (elapsed_ns() - begun) / NS_PER_SECOND)
        return True

    def end(self) -> None:
        """Fail the run if anything went wrong."""
        if self.wrong:
            raise dg.Failure("; ".join(self.wrong), allow_retries=False)
