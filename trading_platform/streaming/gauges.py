"""What a running process says of itself: latency histograms, and a snapshot file that others read."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.errors import StateNotWritten

_FINE = 16
"""Buckets in each doubling: a percentile is at most 1/16 above the true one."""

_LEAST_NS = 1_000
_DOUBLINGS = 40


class LatencyHistogram:
    """Counts durations in buckets that grow with them, so that memory is fixed and no duration is left out."""

    def __init__(self) -> None:
        self._counts = np.zeros(_FINE * _DOUBLINGS + 1, dtype=np.int64)
        self._max_ns = 0

    @property
    def count(self) -> int:
        """Return how many durations were counted."""
        return int(self._counts.sum())

    def add(self, durations_ns: NDArray[np.int64]) -> None:
        """Count durations in nanoseconds."""
        if len(durations_ns):
            doublings = np.log2(np.maximum(durations_ns, _LEAST_NS) / _LEAST_NS)
            places = np.minimum((doublings * _FINE).astype(np.int64), len(self._counts) - 1)
            np.add.at(self._counts, places, 1)
            self._max_ns = max(self._max_ns, int(durations_ns.max()))

    def percentile_ms(self, share: float) -> float | None:
        """Return the upper edge of the bucket in which this share of all durations ends, None without any."""
        total = self.count
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), share * total))
        return min(float(_LEAST_NS * 2.0 ** ((place + 1) / _FINE)), float(max(self._max_ns, _LEAST_NS))) / 1e6

    def summary(self) -> dict[str, float | int | None]:
        """Return count, median, 99th percentile and maximum (milliseconds)."""
        return {
            "count": self.count,
            "p50": self.percentile_ms(0.5),
            "p99": self.percentile_ms(0.99),
            "max": self._max_ns / 1e6 if self.count else None,
        }


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
