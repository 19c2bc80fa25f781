"""Whether the process that wrote a snapshot is still at work: the same question for feed and engine."""

from typing import Any, NamedTuple

from trading_platform.health.findings import Level
from trading_platform.health.market_hours import Duty, MarketHours
from trading_platform.health.snapshots import Observed


class Verdict(NamedTuple):
    """A level, what is said, and what to do."""

    level: Level
    says: str
    advice: str | None = None


def not_at_work(observed: Observed[Any], hours: MarketHours, *, name: str, silent_seconds: float) -> Verdict | None:
    """Return what is wrong with a process that is not there, None when it is and speaks.

    One that ended without a word is named also while the market is closed: it has to be started before the open.
    """
    snapshot = observed.snapshot
    unclean = max(hours.absence, Level.DEGRADED)
    start = f"start it: trading-platform {name}"
    if observed.problem is not None:
        return Verdict(unclean, observed.problem, f"restart the {name}")
    if snapshot is None:
        return Verdict(hours.absence, f"no {name} of this shard has run here", _unless_closed(hours, start))
    if snapshot.state in {"stopped", "closed"}:
        told = "was stopped" if snapshot.state == "stopped" else f"closed session {snapshot.session}"
        return Verdict(hours.absence, f"{told} {observed.age_seconds:,.0f} s ago", _unless_closed(hours, start))
    if not observed.alive:
        return Verdict(unclean, f"process {snapshot.pid} is gone without a word ({snapshot.state} before)", start)
    if observed.age_seconds > silent_seconds:
        says = f"process {snapshot.pid} has said nothing for {observed.age_seconds:,.0f} s"
        return Verdict(unclean, says, "it hangs, compiles, or is held by a signal: look at its log, then restart it")
    return None


def _unless_closed(hours: MarketHours, advice: str) -> str | None:
    return None if hours.duty is Duty.CLOSED else advice
