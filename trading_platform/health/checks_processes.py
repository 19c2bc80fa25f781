"""What the supervisor tells: whether a process was given up, or is not there."""

from dataclasses import dataclass, field

from trading_platform.health.findings import Finding, Level
from trading_platform.health.market_hours import MarketHours

_WELL = ("RUNNING", "STARTING")
_WORDS = {"FATAL": "given up after it died again and again", "BACKOFF": "dead and started again soon"}


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The state of each supervised process, and how often all were started again; `problem` says what is not known.

    `asked` is False where no supervisor was started, or it was stopped: processes run some other way, or not at all.
    """

    asked: bool
    states: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    problem: str | None = None


def check_processes(processes: ProcessFacts, hours: MarketHours) -> Finding:
    """Say whether all processes are there, and which was given up."""
    if not processes.asked:
        return Finding("processes", Level.GREEN, "no supervisor runs here")
    bad = max(hours.absence, Level.DEGRADED)
    if processes.problem is not None:
        advice = "trading-platform stop, then start: until then nothing that dies is started again"
        return Finding("processes", Level.DEGRADED, processes.problem, advice)
    ill = {name: state for name, state in processes.states.items() if state not in _WELL}
    figures = {
        "running": len(processes.states) - len(ill),
        "planned": len(processes.states),
        "given_up": sum(state == "FATAL" for state in ill.values()),
        "restarts_total": processes.restarts,
    }
    if not ill:
        says = f"{len(processes.states)} are there, {processes.restarts} times one was started again"
        return Finding("processes", Level.GREEN, says, None, figures)
    first = next((name for name, state in ill.items() if state == "FATAL"), next(iter(ill)))
    says = "; ".join(f"{name} is {_WORDS.get(state, state.lower())}" for name, state in sorted(ill.items()))
    advice = f"trading-platform logs {first}, then trading-platform restart {first}"
    return Finding("processes", bad, says, advice, figures)
