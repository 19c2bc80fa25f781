"""What a running process says of itself: latency histograms, and a snapshot file that others read."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.errors import StateNotWritten
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns

_FINE = 16
"""Buckets in each doubling: a percentile is at most 1/16 above the true one."""

_FEW = 8
"""Up to so many durations are counted faster one by one than as an array."""

_LEAST_NS = 1_000
_DOUBLINGS = 40
_SHOWN_DOUBLINGS = range(4, 28)
"""Upper edges that are told to others: 16 microseconds to two minutes."""

RECENT_NS = 60 * NS_PER_SECOND
"""What is recent reaches back at least so long, and at most twice."""


class LatencyHistogram:
    """Counts durations in buckets that grow with them, so that memory is fixed and no duration is left out."""

    def __init__(self) -> None:
        self._counts = np.zeros(_FINE * _DOUBLINGS + 1, dtype=np.int64)
        self._max_ns = self._sum_ns = 0
        self._marks: list[tuple[int, NDArray[np.int64]]] = []  # counts of a minute ago, and of up to two

    @property
    def count(self) -> int:
        """Return how many durations were counted."""
        return int(self._counts.sum())

    def add(self, durations_ns: NDArray[np.int64]) -> None:
        """Count durations in nanoseconds."""
        if len(durations_ns) <= _FEW:
            for duration in durations_ns.tolist():
                self._add_one(duration)
        else:
            counted = np.maximum(durations_ns, _LEAST_NS)
            places = np.minimum((np.log2(counted / _LEAST_NS) * _FINE).astype(np.int64), len(self._counts) - 1)
            np.add.at(self._counts, places, 1)
            self._max_ns = max(self._max_ns, int(durations_ns.max()))
            self._sum_ns += int(np.maximum(durations_ns, 0).sum())

    def _add_one(self, duration_ns: int) -> None:
        place = int(math.log2(max(duration_ns, _LEAST_NS) / _LEAST_NS) * _FINE)
        self._counts[min(place, len(self._counts) - 1)] += 1
        self._max_ns = max(self._max_ns, duration_ns)
        self._sum_ns += max(duration_ns, 0)

    def mark(self, now_ns: int) -> None:
        """Let what is recent begin anew where a minute has passed; called each second or so (monotonic time)."""
        if not self._marks or now_ns - self._marks[-1][0] >= RECENT_NS:
            self._marks = [*self._marks[-1:], (now_ns, self._counts.copy())]

    def percentile_ms(self, share: float) -> float | None:
        """Return the upper edge of the bucket in which this share of all durations ends, None without any."""
        return _percentile_ms(self._counts, share, self._max_ns)

    def summary(self) -> dict[str, Any]:
        """Return count, sum, median, 99th percentile and maximum (milliseconds), the same of the last minute or two.

        `buckets` are pairs of an upper edge and the count up to it, the same edges always.
        """
        counts = self._counts.copy()  # another thread may add meanwhile
        recent = counts - self._marks[0][1] if self._marks else counts
        return {
            "count": int(counts.sum()),
            "sum": self._sum_ns / 1e6,
            "p50": _percentile_ms(counts, 0.5, self._max_ns),
            "p99": _percentile_ms(counts, 0.99, self._max_ns),
            "max": self._max_ns / 1e6 if counts.any() else None,
            "recent": {
                "count": int(recent.sum()),
                "p50": _percentile_ms(recent, 0.5, self._max_ns),
                "p99": _percentile_ms(recent, 0.99, self._max_ns),
            },
            "buckets": [[_LEAST_NS * 2**k / 1e6, int(counts[: k * _FINE].sum())] for k in _SHOWN_DOUBLINGS],
        }


def _percentile_ms(counts: NDArray[np.int64], share: float, most_ns: int) -> float | None:
    total = int(counts.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(counts), share * total))
    return min(float(_LEAST_NS * 2.0 ** ((place + 1) / _FINE)), float(max(most_ns, _LEAST_NS))) / 1e6


def write_stamp() -> dict[str, Any]:
    """Return who writes a snapshot and when, by both clocks of the machine: a reader can tell how old it is.

    The monotonic one begins anew with the machine, the wall clock can be set: the older of both ages is the true one.
    """
    return {"pid": os.getpid(), "written": {"monotonic_ns": elapsed_ns(), "wall_ns": Clock.wall().now_ns()}}


def read_snapshot(path: Path) -> dict[str, Any] | None:
    """Return what a snapshot says, None when there is none or it is no JSON object."""
    try:
        values = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return values if isinstance(values, dict) else None


def clock_of(values: Any) -> Clock | None:
    """Return the clock that a snapshot names, None when it names none that runs since this machine started."""
    try:
        clock = Clock(epoch_ns=int(values["epoch_ns"]), rate=float(values["rate"]), anchor_ns=int(values["anchor_ns"]))
    except (LookupError, TypeError, ValueError):
        return None
    return clock if math.isfinite(clock.rate) and clock.rate > 0.0 and clock.anchor_ns <= elapsed_ns() else None


def write_snapshot(path: Path, values: dict[str, Any]) -> None:
    """Replace the snapshot at once, readable for its owner only; raise StateNotWritten."""
    unfinished = path.with_suffix(".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(values, option=orjson.OPT_INDENT_2))
        unfinished.replace(path)
    except OSError as error:
        raise StateNotWritten(
            f"{path} cannot be written: {error.strerror or error}; free space or mend rights"
        ) from error
