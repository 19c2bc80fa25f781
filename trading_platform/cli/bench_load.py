"""One load on one stack: pace it, read beside it, stop it, and compare what came out with what went in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trading_platform.cli.bench_figures import Span, backlog, latency, ticks_per_second
from trading_platform.cli.bench_stack import SESSION, Stack
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns

WARM_UP_SECONDS = 5.0
P50_MS, P99_MS = 3.0, 10.0
_BEHIND_SECONDS = 1.0
_REACHED = 0.99
"""Share of the wanted rate that counts as reached."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent: every instrument so many times a second, in frames of so many packets."""

    packets_per_frame: int
    packets_per_second: int
    seconds: float
    instruments: int = 9000
    latency_bound: bool = False
    warm_up_seconds: float = WARM_UP_SECONDS

    @property
    def ticks_per_second(self) -> int:
        """Return how many packets a second that makes."""
        return self.instruments * self.packets_per_second


class Source(Protocol):
    """What feeds the journal and the stream of a stack."""

    def prepare(self, stack: Stack, load: Load) -> None:
        """Make everything ready that need not be fed by now."""

    def begin(self, stack: Stack, load: Load) -> Clock:
        """Let frames flow; return the clock of their receive times."""

    def finish(self, stack: Stack) -> list[str]:
        """Let no more frames flow and end the journal; return a digest of what was sent on each socket, sorted."""

    def told(self) -> dict[str, Any]:
        """Return what the source says of itself."""


def run_load(load: Load, source: Source, within: Path | None) -> dict[str, Any]:
    """Run one load; return its figures, `equal` among them."""
    with Stack(within) as stack:
        source.prepare(stack, load)
        stack.run("warmup")  # kernels that are not compiled yet would make the first half minute late
        stack.start("engine", "engine", "--session", SESSION.isoformat())
        stack.wait_for_line("engine", "state at record")
        watch = stack.watch()
        clock = source.begin(stack, load)
        watch.until(elapsed_ns() + int(load.warm_up_seconds * NS_PER_SECOND))
        before, begin_ns = stack.cpu_seconds(), elapsed_ns()
        watch.until(begin_ns + int(load.seconds * NS_PER_SECOND))
        span, after = Span(begin_ns, elapsed_ns()), stack.cpu_seconds()
        watch.until(elapsed_ns() + int(_BEHIND_SECONDS * NS_PER_SECOND))  # what came last is not readable yet
        sent = source.finish(stack)
        arrivals, recorded = stack.recorded(clock)
        last = len(arrivals.received_ns)
        watch.until(elapsed_ns() + 30 * NS_PER_SECOND, lambda: watch.record >= last)
        watch.close()
        used = {name: (after[name] - before[name]) for name in before}
        inside = span.holds(arrivals.received_ns) & (arrivals.packets > 0)
        result: dict[str, Any] = {
            "packets_per_frame": load.packets_per_frame,
            "instruments": load.instruments,
            "seconds": round(span.seconds, 1),
            "wanted_ticks_per_second": load.ticks_per_second,
            "ticks_per_second": ticks_per_second(arrivals, span),
            "socket_to_readable_ms": latency(arrivals.received_ns[inside], arrivals.numbers[inside], watch.seen()),
            "backlog": backlog(arrivals, watch.seen(), span),
            "cpu": {name: round(seconds / span.seconds, 3) for name, seconds in used.items()},
            "stages_ms": stack.stages(),
            "source": source.told(),
        }
        result["equal"] = {"frames": sent == recorded, "digests": _same_digests(stack, last)}
        result["met"] = _met(load, result)
        return result


def _same_digests(stack: Stack, last: int) -> bool:
    held, replayed = stack.held(), stack.replayed()
    return (
        held is not None
        and held.whole
        and held.record == replayed["last_record"] == last
        and held.digests == replayed["digests"]
    )


def _met(load: Load, result: dict[str, Any]) -> bool:
    """Tell whether the load was carried: all of it came, no lag grew, and latency kept within its bounds, if any."""
    readable = result["socket_to_readable_ms"]
    came = readable["frames"] > 0 and readable["missing"] == 0
    quick = not load.latency_bound or (came and readable["p50"] <= P50_MS and readable["p99"] <= P99_MS)
    reached = result["ticks_per_second"] >= _REACHED * load.ticks_per_second
    return bool(all(result["equal"].values()) and came and reached and quick and not result["backlog"]["growing"])
