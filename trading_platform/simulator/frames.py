"""Lay the ticks of a session out as frames on a simulated clock: data, or a heartbeat in a second without any."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.simulator.bar_ticks import SessionBars, TickColumns, spread_bars, tick_rows
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_packets import HEARTBEAT, Ticks

MAX_PACKETS = 200
"""Most packets in one frame."""

NS_PER_MS = 1_000_000
LATENCY_MS = 400
"""How long after its exchange second a frame arrives at the earliest."""
JITTER_MS = 50
FRAME_SPACING_MS = 3.0
FRAMES_WITHIN_MS = 500.0
"""All frames of a second arrive within this time, so that seconds stay in order."""

_BLOCK_TICKS = 1 << 14


@dataclass(frozen=True, slots=True)
class Frame:
    """One payload, when it arrives, and how many ticks it carries."""

    received_ns: int
    payload: bytes
    ticks: int


def session_frames(bars: SessionBars, first_second: int, last_second: int) -> Iterator[Frame]:
    """Yield the frames of a session in order of arrival, from `first_second` to `last_second`, both included."""
    columns = spread_bars(bars)
    begins = _frame_begins(columns.time)
    seconds = columns.time[begins].tolist()
    next_second = first_second
    for second, arrival, ticks in zip(
        seconds, _arrivals(columns.time[begins]), _blocks(bars, columns, begins), strict=True
    ):
        yield from _heartbeats(next_second, second)
        yield Frame(arrival, encode_frame(ticks), len(ticks))
        next_second = second + 1
    yield from _heartbeats(next_second, last_second + 1)


def arrival_ns(second: int) -> int:
    """Return when the first frame of an exchange second arrives."""
    jitter = second * 7919 % JITTER_MS
    return second * NS_PER_SECOND + (LATENCY_MS + jitter) * NS_PER_MS


def _heartbeats(begin: int, end: int) -> Iterator[Frame]:
    for second in range(begin, end):
        yield Frame(arrival_ns(second), HEARTBEAT, 0)


def _frame_begins(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where frames begin: with each second, and after each MAX_PACKETS ticks of one."""
    place_in_second = np.arange(len(time)) - np.searchsorted(time, time)
    begins: NDArray[np.int64] = np.flatnonzero(place_in_second % MAX_PACKETS == 0)
    return begins


def _arrivals(seconds: NDArray[np.int64]) -> list[int]:
    """Return when each frame arrives; the frames of one second follow each other evenly."""
    first = np.searchsorted(seconds, seconds)
    in_second = np.searchsorted(seconds, seconds, side="right") - first
    spacing = np.minimum(FRAME_SPACING_MS, FRAMES_WITHIN_MS / in_second)
    behind = ((np.arange(len(seconds)) - first) * spacing * NS_PER_MS).astype(np.int64)
    return [arrival_ns(second) + late for second, late in zip(seconds.tolist(), behind.tolist(), strict=True)]


def _blocks(bars: SessionBars, columns: TickColumns, begins: NDArray[np.int64]) -> Iterator[Ticks]:
    """Yield the rows of each frame; rows are made for many frames at once."""
    edges = np.append(begins, len(columns))
    start = 0
    while start < len(begins):
        stop = max(start + 1, int(np.searchsorted(edges, edges[start] + _BLOCK_TICKS, side="right")) - 1)
        rows = tick_rows(bars, columns, int(edges[start]), int(edges[stop]))
        inside = (edges[start : stop + 1] - edges[start]).tolist()
        for begin, end in itertools.pairwise(inside):
            yield rows[begin:end]
        start = stop
