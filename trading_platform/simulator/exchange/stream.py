"""The frames of one websocket and when each is due: what its subscriptions make of the market."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.simulator.bar_ticks import Ints
from trading_platform.simulator.exchange.clock import ExchangeClock
from trading_platform.simulator.exchange.market import UNKNOWN, Market
from trading_platform.simulator.exchange.subscriptions import Subscriptions
from trading_platform.simulator.frames import FRAME_SPACING_MS, FRAMES_WITHIN_MS, MAX_PACKETS, NS_PER_MS, arrival_ns
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_packets import Ticks

_APART_NS = int(FRAME_SPACING_MS * NS_PER_MS)
_END_OF_TIME = 2**63 - 1
_PIECE_PACKETS, _PIECE_NS = 200, 33 * NS_PER_MS
"""Rows of a steady market are made in pieces, so that no socket waits for all of another's; small ones cost more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is sent: packets of each instrument per simulated second, or what its bars give when that is None.

    `yesterday_second` is the end of the session before; given, an instrument subscribed before its first tick shows
    where that session left it. `tells_time`: a ping before each message says which moment that message belongs to.
    """

    packets_per_second: int | None = None
    packets_per_frame: int = MAX_PACKETS
    yesterday_second: int | None = None
    tells_time: bool = False


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows that are sent from a moment on, in frames that follow each other evenly within a time."""

    at_ns: int
    rows: Callable[[], Ticks]
    within_ns: int
    most_apart_ns: int


class Stream:
    """What one socket is sent; its place in time is its own, so a slow client holds up nobody else."""

    def __init__(self, market: Market, clock: ExchangeClock, pace: Pace, subscriptions: Subscriptions) -> None:
        self._market, self._clock, self._pace, self._subscriptions = market, clock, pace, subscriptions
        self._modes: NDArray[np.uint8] = np.zeros(len(market.tokens), np.uint8)
        self.due_ns = clock.now_ns()
        """When the frame is due that was given last or is waited for; the end of time after the last one."""

    def subscriptions_changed(self) -> None:
        """Look at the subscriptions again."""
        tokens, modes = self._subscriptions.arrays()
        places = self._market.places(tokens)
        self._modes = np.zeros(len(self._market.tokens), np.uint8)
        self._modes[places[places != UNKNOWN]] = modes[places != UNKNOWN]

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield each frame when it is due, until the session is over."""
        second = self._first_second()
        while (following := self._following(second)) is not None:
            for batch in self._batches(following):
                await self._wait(batch.at_ns)
                # only now: what is wanted may have changed while this waited
                rows = batch.rows()
                frames = max(1, -(-len(rows) // self._pace.packets_per_frame))
                spacing_ns = min(batch.most_apart_ns, batch.within_ns // frames)
                for number, frame in enumerate(self._encoded(rows)):
                    await self._wait(batch.at_ns + spacing_ns * number)
                    yield frame
            second = following + 1
        self.due_ns = _END_OF_TIME

    def last_ticks(self, tokens: tuple[int, ...]) -> Iterator[bytes]:
        """Yield what instruments showed last, in their modes; what has never been seen is left out."""
        places = self._market.places(np.array(tokens, np.int64))
        places = places[places != UNKNOWN]
        # never later than the frame that comes next: a socket that is behind must not see a price before its time
        second = min(self._clock.now_ns(), self.due_ns) // NS_PER_SECOND
        indices = self._market.latest(places, second - 1)
        yield from self._encoded(self._with_modes(self._market.rows(indices[indices != UNKNOWN])))
        if self._pace.yesterday_second is not None:
            rows = self._market.yesterday(places[indices == UNKNOWN], self._pace.yesterday_second)
            yield from self._encoded(self._with_modes(rows[rows["last_price"] > 0.0]))

    async def _wait(self, at_ns: int) -> None:
        self.due_ns = at_ns
        await self._clock.until(at_ns)

    def _first_second(self) -> int:
        now_ns = self._clock.now_ns()
        second = now_ns // NS_PER_SECOND - 1
        while arrival_ns(second) < now_ns:
            second += 1
        return second

    def _following(self, second: int) -> int | None:
        if self._pace.packets_per_second is None:
            return self._market.next_second(second)
        following = max(second, self._market.first_second)
        return following if following < self._market.end_second else None

    def _batches(self, second: int) -> list[_Batch]:
        if self._pace.packets_per_second is None:
            return [
                _Batch(arrival_ns(second), partial(self._ticks, second), int(FRAMES_WITHIN_MS * NS_PER_MS), _APART_NS)
            ]
        slots = self._pace.packets_per_second
        slot_ns = NS_PER_SECOND // slots
        wanted, frame = int(np.count_nonzero(self._modes)), self._pace.packets_per_frame
        most = max(1, min(-(-wanted // _PIECE_PACKETS), slot_ns // _PIECE_NS))
        size = max(1, -(-wanted // (most * frame))) * frame  # whole frames
        pieces = max(1, -(-wanted // size))
        piece_ns = slot_ns // pieces
        # the last one takes what is subscribed meanwhile
        parts = [slice(size * piece, size * (piece + 1) if piece < pieces - 1 else None) for piece in range(pieces)]
        return [
            _Batch(
                arrival_ns(second) + slot * slot_ns + piece * piece_ns,
                partial(self._standing, second, slot, part),
                piece_ns,
                piece_ns,
            )
            for slot in range(slots)
            for piece, part in enumerate(parts)
        ]

    def _ticks(self, second: int) -> Ticks:
        rows, places = self._market.rows_in(second)
        return self._with_modes(rows[self._modes[places] > 0])

    def _standing(self, second: int, slot: int, piece: slice) -> Ticks:
        """Return what stands in the open bar of a piece of the instruments; the book is stirred a little."""
        indices: Ints = self._market.latest(np.flatnonzero(self._modes)[piece], second)
        indices = indices[indices != UNKNOWN]
        rows = self._market.rows(indices[self._market.in_minute(indices, second)])
        rows["exchange_time"] = second
        there = rows["depth_quantity"][:, 0] > 0
        rows["depth_quantity"][:, 0] += there * (1 + (second + slot) % 7)
        return self._with_modes(rows)

    def _with_modes(self, rows: Ticks) -> Ticks:
        rows["mode"] = self._modes[self._market.places(rows["token"].astype(np.int64))]
        return rows[rows["mode"] > 0]

    def _encoded(self, rows: Ticks) -> Iterator[bytes]:
        size = self._pace.packets_per_frame
        for begin in range(0, len(rows), size):
            yield encode_frame(rows[begin : begin + size])
