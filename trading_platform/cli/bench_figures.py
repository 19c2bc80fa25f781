"""What the benches make of the times that they took: latencies, backlog, and whether it grows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.market.clock import NS_PER_SECOND

Times = NDArray[np.int64]

SAMPLE_NS = 100_000_000
GROWTH_LIMIT_MS = 100.0
"""A backlog grows when the line through it rises by more than what comes in within this time, over the whole run."""

DEFINITIONS = {
    "socket_to_readable": (
        "from the feed's stamp behind recv of a frame until another process holds the engine's position at or beyond "
        "the frame's record: position, latest, features and bars are written by one transaction; the process is told "
        "of each change by client tracking and reads the position then, and that round trip is counted"
    ),
    "stages_ms": (
        "what the processes say themselves: from the feed's queue to the journal and to the stream, from receipt to "
        "decoded and to written by the engine; warm-up and end included"
    ),
    "backlog": (
        "records whose receive time has passed less the position that the process holds, each 100 ms; its line is by "
        f"least squares, and it grows when the line rises by what comes in within {GROWTH_LIMIT_MS:g} ms or more"
    ),
    "cpu": "share of one core, by process, while it was measured",
    "equal": (
        "frames of the journal are those that were sent, by a digest over all of them in order, and the engine's "
        "digests are those of a replay of the journal in a fresh process"
    ),
}


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Records of a journal in order: monotonic receive time, and how many packets a frame has (0: no frame)."""

    received_ns: Times
    packets: NDArray[np.int64]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Return the record numbers."""
        return np.arange(1, len(self.received_ns) + 1)


@dataclass(frozen=True, slots=True)
class Seen:
    """When (monotonic) which position of the engine was held by the reader, both ascending."""

    at_ns: Times
    record: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a run that is measured (monotonic)."""

    begin_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return (self.end_ns - self.begin_ns) / NS_PER_SECOND

    def holds(self, at_ns: Times) -> NDArray[np.bool_]:
        """Tell which moments are inside."""
        inside: NDArray[np.bool_] = (at_ns >= self.begin_ns) & (at_ns < self.end_ns)
        return inside


def readable_ns(numbers: NDArray[np.int64], seen: Seen) -> Times:
    """Return when the reader held a position at or beyond each record; the greatest time for those it never held."""
    at = np.searchsorted(seen.record, numbers)
    ends = np.append(seen.at_ns, np.iinfo(np.int64).max)
    return ends[at]


def latency(since_ns: Times, numbers: NDArray[np.int64], seen: Seen) -> dict[str, float | int | None]:
    """Return percentiles (milliseconds) of the time until these records were readable; `missing` never were."""
    until = readable_ns(numbers, seen)
    there = until < np.iinfo(np.int64).max
    took = (until[there] - since_ns[there]) / 1e6
    return {"frames": len(took), "missing": int(np.count_nonzero(~there)), **percentiles(took)}


def percentiles(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return median, 99th percentile and maximum, null without values."""
    if not len(values):
        return {"p50": None, "p99": None, "max": None}
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "max": round(float(values.max()), 3)}


def backlog(arrivals: Arrivals, seen: Seen, span: Span) -> dict[str, Any]:
    """Return how far the engine was behind what was received, and whether that grew."""
    at = np.arange(span.begin_ns, span.end_ns, SAMPLE_NS)
    received = np.searchsorted(arrivals.received_ns, at, side="right")
    held = np.append(0, seen.record)[np.searchsorted(seen.at_ns, at, side="right")]
    behind = np.maximum(received - held, 0).astype(np.float64)
    slope = float(np.polyfit((at - span.begin_ns) / NS_PER_SECOND, behind, 1)[0]) if len(at) > 1 else 0.0
    rate = int(np.count_nonzero(span.holds(arrivals.received_ns))) / span.seconds
    growth_ms = 1e3 * slope * span.seconds / rate if rate else 0.0
    return {
        "samples": len(at),
        "records_per_second": round(rate, 1),
        **percentiles(behind),
        "slope_records_per_second": round(slope, 4),
        "growth_ms": round(growth_ms, 3),
        "growing": bool(growth_ms >= GROWTH_LIMIT_MS),
    }


def ticks_per_second(arrivals: Arrivals, span: Span) -> int:
    """Return how many packets came a second."""
    return round(int(arrivals.packets[span.holds(arrivals.received_ns)].sum()) / span.seconds)
