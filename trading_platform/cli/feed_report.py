"""What a feed says of itself once a second, in `<data_dir>/feed/<shard>.json`."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from trading_platform.cli.feed_clock import HeldClock
from trading_platform.errors import StateNotWritten
from trading_platform.kite.key_gate import KeyGate
from trading_platform.market.clock import Clock, elapsed_ns
from trading_platform.market.sessions import SessionClass
from trading_platform.ports import SocketStatus, Timepiece
from trading_platform.settings import Settings
from trading_platform.streaming.feed import Feed, SocketTrack
from trading_platform.streaming.gauges import read_snapshot, write_snapshot, write_stamp
from trading_platform.streaming.recorder import Recorder

VERSION = 2

_SUMMED = ("gaps", "gap_seconds", "lost_payloads", "reconnects", "write_failures")


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedHours:
    """When a session's sockets connect and when it is over (nanoseconds), and whose hours its instruments keep."""

    session: date
    connect_ns: int
    end_ns: int
    classes: Mapping[SessionClass, int]

    def as_values(self) -> dict[str, Any]:
        """Return the same as JSON has it."""
        classes = {str(hours): count for hours, count in self.classes.items()}
        return {
            "session": self.session.isoformat(),
            "connect_ns": self.connect_ns,
            "end_ns": self.end_ns,
            "classes": classes,
        }


class FeedReport:
    """Writes the snapshot; what a session lost stays told when the feed is started again in it."""

    def __init__(self, settings: Settings, gate: KeyGate, say: Callable[[str], None]) -> None:
        self._path = settings.feed_dir / f"{settings.shard}.json"
        self._shard, self._gate, self._say = settings.shard, gate, say
        self._hours: PlannedHours | None = None
        self._before: dict[str, Any] = _nothing(None)
        self._so_far = (read_snapshot(self._path) or {}).get("session_so_far")
        self._failure: str | None = None
        self._is_idle = True
        self._clock: Timepiece | None = None  # the last one

    def plan(self, hours: PlannedHours) -> None:
        """Note what the next or present session holds."""
        self._hours = hours

    def begin(self, session: date) -> None:
        """Note that recording begins, or goes on behind what was told of the same session before."""
        told = self._so_far if isinstance(self._so_far, dict) else {}
        again = told.get("session") == session.isoformat()
        numbers = {name: told[name] for name in ("starts", *_SUMMED) if again and type(told.get(name)) in {int, float}}
        self._before = _nothing(session) | numbers
        self._before["starts"] += 1

    def idle(self, why: str, clock: Timepiece) -> None:
        """Say what is waited for between sessions."""
        self._is_idle = True
        self._write(clock, {"state": "idle", "waiting": why, "session_so_far": self._so_far})

    def stopped(self) -> None:
        """Say that the command ends; a session that was recorded has said so itself."""
        if self._is_idle and self._clock is not None:
            self._write(self._clock, {"state": "stopped", "waiting": None, "session_so_far": self._so_far})

    def recording(
        self,
        feed: Feed,
        recorder: Recorder,
        statuses: list[SocketStatus],
        *,
        clock: Timepiece,
        state: str,
        refused: set[int],
        candles: dict[str, Any] | None = None,
    ) -> None:
        """Say how a session goes."""
        self._is_idle = False
        values = feed_snapshot(feed, recorder, statuses)
        self._so_far = self._before | {name: self._before[name] + values["since_start"][name] for name in _SUMMED}
        session = {"session": self._before["session"], "session_so_far": self._so_far}
        told = {"state": state, "waiting": self._gate.waiting, "refused_instruments": sorted(refused)}
        self._write(clock, values | session | told | {"candles": candles})

    def _write(self, clock: Timepiece, values: dict[str, Any]) -> None:
        self._clock = clock
        head = {
            "version": VERSION,
            "shard": self._shard,
            **write_stamp(),
            "at_ns": clock.now_ns(),
            "clock": _published(clock),
            "hours": None if self._hours is None else self._hours.as_values(),
            "token": {"standing": self._gate.standing, "accepted_at_ns": self._accepted_at_ns(clock)},
        }
        try:
            write_snapshot(self._path, head | values)
        except StateNotWritten as error:
            if str(error) != self._failure:
                self._say(str(error))
            self._failure = str(error)

    def _accepted_at_ns(self, clock: Timepiece) -> int | None:
        accepted = self._gate.accepted_ns
        return None if accepted is None else clock.now_ns() - int((elapsed_ns() - accepted) * clock.rate)


def feed_snapshot(feed: Feed, recorder: Recorder, statuses: list[SocketStatus]) -> dict[str, Any]:
    """Return all counters, the queue, latencies (milliseconds) and what was lost; no token of a login is in it."""
    queue, counters = feed.queue, feed.counters
    oldest, now = queue.oldest_ns, elapsed_ns()
    for histogram in (feed.to_journal, feed.to_stream):
        histogram.mark(now)
    return {
        "last_record": recorder.last_number,
        "recorder": dataclasses.asdict(recorder.counters),
        "sockets": [_socket(status, feed.sockets.get(status.socket)) for status in statuses],
        "gaps": counters.gaps,
        "gap_seconds": counters.gap_ns / 1e9,
        "write_failures": counters.write_failures,
        "last_write_failure": counters.last_write_failure,
        "texts": counters.errors_told,
        "queue": {
            "entries": len(queue),
            "bytes": queue.held_bytes,
            "peak_bytes": queue.peak_bytes,
            "most_bytes": queue.most_bytes,
            "lag_ms": 0.0 if oldest is None else (now - oldest) / 1e6,
        },
        "lost": {
            "queue_full_frames": queue.lost_frames,
            "queue_full_bytes": queue.lost_bytes,
            "after_end": queue.late,
            "unwritten": counters.unwritten,
        },
        "since_start": {
            "gaps": counters.gaps,
            "gap_seconds": counters.gap_ns / 1e9,
            "lost_payloads": queue.lost_frames + queue.late + counters.unwritten,
            "reconnects": sum(track.reconnects for track in list(feed.sockets.values())),
            "write_failures": counters.write_failures,
        },
        "latency_ms": {"journal": feed.to_journal.summary(), "stream": feed.to_stream.summary()},
    }


def _published(clock: Timepiece) -> dict[str, Any]:
    """Return what another process on this machine needs to tell the same time; by a steady one it can measure."""
    steady = clock.running if isinstance(clock, HeldClock) else clock
    if isinstance(steady, Clock):
        return {**dataclasses.asdict(steady), "steady": True}
    return {"epoch_ns": clock.now_ns(), "rate": clock.rate, "anchor_ns": elapsed_ns(), "steady": False}


def _nothing(session: date | None) -> dict[str, Any]:
    return {"session": session and session.isoformat(), "starts": 0, **dict.fromkeys(_SUMMED, 0)}


def _socket(status: SocketStatus, track: SocketTrack | None) -> dict[str, Any]:
    values = dataclasses.asdict(status)
    if track is not None:
        names = ("frames", "heartbeats", "texts", "bytes", "reconnects", "gaps")
        values |= {name: getattr(track, name) for name in names}
        values |= {"away": track.away_ns is not None, "reconnected_ns": list(track.reconnected_ns)}
    return values
