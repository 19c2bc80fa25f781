"""Play one session of minute bars into a journal: its opening records, its frames, its end, on a simulated clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import orjson

from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.ports import FrameSink, SessionContents
from trading_platform.simulator.bar_ticks import SECONDS_PER_BAR, SessionBars
from trading_platform.simulator.frames import arrival_ns, session_frames
from trading_platform.wire.journal_records import ControlType

CONNECTED_BEFORE_SECONDS = 60
"""How long before the first continuous trading the socket is connected and subscribed."""

SILENCE_AFTER_SECONDS = 8
"""Heartbeats after the last bar, so that the watermark closes it while records still flow."""

SOCKET = 0


@dataclass(frozen=True, slots=True)
class Play:
    """One session to play; `opens` is the first second of continuous trading of any class in it.

    `source` is where its bars come from, "file" or "synthetic".
    """

    session: date
    shard: str
    platform_version: str
    opens: int
    contents: SessionContents
    bars: SessionBars
    source: str


@dataclass(frozen=True, slots=True)
class PlaySummary:
    """What became of a session; `seconds` is real time."""

    session: date
    instruments: int
    bars: int
    ticks: int
    frames: int
    heartbeats: int
    records: int
    payload_bytes: int
    seconds: float


_FLUSH_RECORDS, _FLUSH_BYTES = 512, 256 * 1024
"""How much is handed in between two flushes when nothing has to be waited for."""


class _Paced:
    """Hands records to the sink when the simulated clock says so; without a speed, at once. Counts them."""

    def __init__(self, sink: FrameSink, speed: float | None, begin_ns: int) -> None:
        self._sink = sink
        self._clock = None if speed is None else Clock.starting_at(begin_ns, speed)
        self._unflushed = self._unflushed_bytes = 0
        self.records = 0

    def control(
        self, control: ControlType, at_ns: int, content: bytes | None = None, /, *, socket: int = SOCKET, **fields: Any
    ) -> None:
        self._wait(at_ns)
        self._sink.control(control, received_ns=at_ns, content=content, socket=socket, **fields)
        self._count(0)

    def frame(self, payload: bytes, at_ns: int) -> None:
        self._wait(at_ns)
        self._sink.frame(payload, at_ns, socket=SOCKET)
        self._count(len(payload))

    def flush(self) -> None:
        self._sink.flush()
        self._unflushed = self._unflushed_bytes = 0

    def _count(self, size: int) -> None:
        self.records += 1
        self._unflushed += 1
        self._unflushed_bytes += size
        if self._unflushed >= _FLUSH_RECORDS or self._unflushed_bytes >= _FLUSH_BYTES:
            self.flush()

    def _wait(self, at_ns: int) -> None:
        if self._clock is None:
            return
        seconds = self._clock.real_seconds_until(at_ns)
        if seconds > 0.0:
            self.flush()
            pause(seconds)


def play_session(
    play: Play,
    sink: FrameSink,
    *,
    speed: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PlaySummary:
    """Hand a whole session to the sink; `progress` hears each simulated minute: seconds played, seconds in all."""
    began = elapsed_ns()
    begin = min(play.opens, int(play.bars.start.min())) - CONNECTED_BEFORE_SECONDS
    end = int(play.bars.start.max()) + SECONDS_PER_BAR + SILENCE_AFTER_SECONDS
    out = _Paced(sink, speed, begin * NS_PER_SECOND)
    _open(play, out, begin * NS_PER_SECOND)
    frames = heartbeats = ticks = size = 0
    reported = begin
    for frame in session_frames(play.bars, begin, end - 1):
        out.frame(frame.payload, frame.received_ns)
        frames += frame.ticks > 0
        heartbeats += frame.ticks == 0
        ticks += frame.ticks
        size += len(frame.payload)
        second = frame.received_ns // NS_PER_SECOND
        if progress is not None and second >= reported + SECONDS_PER_BAR:
            reported = second
            progress(second - begin, end - begin)
    _close(out, arrival_ns(end))
    out.flush()
    return PlaySummary(
        session=play.session,
        instruments=len(np.unique(play.bars.token)),
        bars=len(play.bars),
        ticks=ticks,
        frames=frames,
        heartbeats=heartbeats,
        records=out.records,
        payload_bytes=size,
        seconds=(elapsed_ns() - began) / NS_PER_SECOND,
    )


def _open(play: Play, out: _Paced, at_ns: int) -> None:
    """Write what a reader has to know before the first frame, in the order that the engine relies on."""
    out.control(
        ControlType.SESSION_OPENED,
        at_ns,
        session=play.session.isoformat(),
        shard=play.shard,
        platform_version=play.platform_version,
        source=play.source,
    )
    for control, content in play.contents.named:
        out.control(control, at_ns, content)
    tokens = np.unique(play.bars.token).tolist()
    out.control(ControlType.CONNECTED, at_ns, socket=SOCKET)
    out.control(ControlType.SUBSCRIBED, at_ns, orjson.dumps(tokens), socket=SOCKET, mode="full", count=len(tokens))


def _close(out: _Paced, at_ns: int) -> None:
    out.control(ControlType.DISCONNECTED, at_ns, socket=SOCKET, reason="end of play")
    out.control(ControlType.SESSION_CLOSED, at_ns)
