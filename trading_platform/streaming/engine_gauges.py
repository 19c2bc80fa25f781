"""What an engine says of itself: how late live records are, which instruments went quiet, where it stands."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trading_platform.calc.pass_layout import BASELINE_VERSION, LAST_RECEIVED, PHASES, Memory
from trading_platform.calc.session_pass import SessionPass
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.market.sessions import PhaseKind, SessionClass
from trading_platform.streaming.gauges import LatencyHistogram
from trading_platform.wire.journal_records import RecordBatch, RecordKind

LIVE_NS = NS_PER_SECOND
"""An engine has caught up when the newest record of a batch is no older than this, in real time."""

STALE_SECONDS = 60.0
"""Real seconds of continuous trading without a packet after which an instrument counts as stale."""

_CLASSES = list(SessionClass)
_ROOM = 8192
_NOTE = np.dtype([("kind", "u1"), ("received_ns", "i8"), ("decoded_ns", "i8"), ("written_ns", "i8")], align=True)


class RecordLatency:
    """Measures how old frames are when they are decoded and when what they gave is written, in real time.

    Receive times are of the recorder's clock, which may run at any rate: without that clock nothing is measured. What
    an engine reads until it has caught up was waiting for the engine to start, and is counted apart. A batch is only
    noted; the arithmetic is done for many at once.
    """

    def __init__(self, elapsed: Callable[[], int] = elapsed_ns) -> None:
        self.to_decoded, self.to_written = LatencyHistogram(), LatencyHistogram()
        self.caught_up_frames = self.unmeasured_frames = 0
        self.is_live = False
        self._elapsed = elapsed
        self._clock: Clock | None = None
        self._decoded_ns = 0
        self._noted = np.zeros(_ROOM, _NOTE)
        self._count = 0

    @property
    def clock(self) -> Clock | None:
        """Return the recorder's clock, None while it is not known."""
        return self._clock

    def follow(self, clock: Clock | None) -> None:
        """Tell receive times by another clock from now on."""
        if clock != self._clock:
            self._measure()
            self._clock = clock

    def begin(self) -> None:
        """Note that an engine starts, or starts again: it has to catch up."""
        self.is_live = False

    def decoded(self) -> None:
        """Note that a batch was folded."""
        self._decoded_ns = self._elapsed()

    def written(self, batch: RecordBatch) -> None:
        """Note that what the same batch gave is acknowledged."""
        now = self._elapsed()
        if self._clock is None or not self.is_live:
            self._pass_over(batch, now)
            return
        for first in range(0, len(batch), _ROOM):
            table = batch.table[first : first + _ROOM]
            if self._count + len(table) > _ROOM:
                self._measure()
            noted = self._noted[self._count : self._count + len(table)]
            noted["kind"], noted["received_ns"] = table["kind"], table["received_ns"]
            noted["decoded_ns"], noted["written_ns"] = self._decoded_ns, now
            self._count += len(table)

    def summary(self) -> dict[str, Any]:
        """Return both histograms and what is not in them."""
        self._measure()
        now = self._elapsed()
        for histogram in (self.to_decoded, self.to_written):
            histogram.mark(now)
        return {
            "live": self.is_live,
            "caught_up_frames": self.caught_up_frames,
            "unmeasured_frames": self.unmeasured_frames,
            "latency_ms": {"decoded": self.to_decoded.summary(), "written": self.to_written.summary()},
        }

    def _pass_over(self, batch: RecordBatch, now_ns: int) -> None:
        """Count frames that are not measured; the last of them tells whether the engine has caught up."""
        frames = batch.table["received_ns"][batch.table["kind"] == RecordKind.FRAME]
        if self._clock is None:
            self.unmeasured_frames += len(frames)
        elif len(frames):
            self.caught_up_frames += len(frames)
            self.is_live = abs(now_ns - self._clock.monotonic_ns(int(frames[-1]))) < LIVE_NS

    def _measure(self) -> None:
        noted, self._count = self._noted[: self._count], 0
        clock = self._clock
        if clock is None or not len(noted):
            return
        frames = noted[noted["kind"] == RecordKind.FRAME]
        received = clock.anchor_ns + ((frames["received_ns"] - clock.epoch_ns) / clock.rate).astype(np.int64)
        self.to_decoded.add(np.maximum(frames["decoded_ns"] - received, 0))
        self.to_written.add(np.maximum(frames["written_ns"] - received, 0))


def pass_facts(state: SessionPass, *, rate: float) -> dict[str, Any]:
    """Return where a pass stands, all its counters by name, and how fresh its instruments are."""
    return {
        "session": state.session.isoformat(),
        "position": state.position,
        "closed": state.closed,
        "last_received_ns": state.last_received_ns,
        "counters": state.counters,
        "baseline_loaded": bool(state.memory.scalars[BASELINE_VERSION]),
        "unplaced": len(state.unplaced),
        "groups": [_group(state.memory, place, rate) for place in _subscribed_classes(state.memory)],
    }


def _subscribed_classes(memory: Memory) -> list[int]:
    placed = memory.state[:, PHASES]
    return [int(place) for place in np.unique(placed) if place >= 0.0]


def _group(memory: Memory, place: int, rate: float) -> dict[str, Any]:
    """Return the instruments of one class of opening hours; stale and silent ones only in continuous trading."""
    received = memory.latest["received_ns"][memory.state[:, PHASES] == place]
    now = int(memory.scalars[LAST_RECEIVED])
    since = _continuous_since_ns(memory, place, now)
    quiet = now - np.maximum(received, now if since is None else since)
    return {
        "class": str(_CLASSES[place]),
        "instruments": len(received),
        "newest_ns": int(received.max()) or None,
        "continuous_since_ns": since,
        "stale": int(np.count_nonzero(quiet > STALE_SECONDS * NS_PER_SECOND * rate)),
        "never": int(np.count_nonzero(received == 0)),
    }


def _continuous_since_ns(memory: Memory, place: int, now_ns: int) -> int | None:
    for kind, start, end in memory.phases[place].tolist():
        if kind == PhaseKind.CONTINUOUS and start * NS_PER_SECOND <= now_ns < end * NS_PER_SECOND:
            return int(start * NS_PER_SECOND)
    return None
