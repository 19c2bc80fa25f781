"""What a feed says of itself as plain values, for `<data_dir>/feed/<shard>.json`."""

import dataclasses
import os
from typing import Any

from trading_platform.market.clock import elapsed_ns
from trading_platform.ports import SocketStatus
from trading_platform.streaming.feed import Feed, SocketTrack
from trading_platform.streaming.recorder import Recorder

VERSION = 1


def feed_snapshot(
    feed: Feed, recorder: Recorder, statuses: list[SocketStatus], *, waiting: str | None
) -> dict[str, Any]:
    """Return all counters, the queue, latencies (milliseconds) and what was lost; no token of a login is in it."""
    queue, counters = feed.queue, feed.counters
    oldest = queue.oldest_ns
    return {
        "version": VERSION,
        "pid": os.getpid(),
        "waiting": waiting,
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
            "lag_ms": 0.0 if oldest is None else (elapsed_ns() - oldest) / 1e6,
        },
        "lost": {
            "queue_full_frames": queue.lost_frames,
            "queue_full_bytes": queue.lost_bytes,
            "after_end": queue.late,
            "unwritten": counters.unwritten,
        },
        "latency_ms": {"journal": feed.to_journal.summary(), "stream": feed.to_stream.summary()},
    }


def _socket(status: SocketStatus, track: SocketTrack | None) -> dict[str, Any]:
    values = dataclasses.asdict(status)
    if track is not None:
        names = ("frames", "heartbeats", "texts", "bytes", "reconnects", "gaps")
        values |= {name: getattr(track, name) for name in names}
        values["away"] = track.away_ns is not None
    return values
