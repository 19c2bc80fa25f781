"""What every instrument of one session shows at any second: ticks of bars, looked up by time and never used up.

Sockets and quotes read the same market, each at its own pace; nothing here changes while they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.simulator.bar_ticks import (
    SECONDS_PER_BAR,
    Floats,
    Ints,
    SessionBars,
    TickColumns,
    spread_bars,
    tick_rows,
)
from trading_platform.simulator.open_interest import opening_interest
from trading_platform.wire.kite_packets import DEPTH_ROWS, TICK, Mode, Segment, Ticks

_APART = 1 << 34
"""Keeps instruments apart in a key that ends in seconds since the epoch."""

_BLOCK_SECONDS = 64
"""Rows are made for so many seconds at once, which is far cheaper than second by second."""

UNKNOWN = -1
"""Place of a token that the market does not have, index of a tick that has not been yet."""


@dataclass(frozen=True, slots=True)
class Wall:
    """An order that stands far above its neighbours at one depth row, from `begin` until it vanishes at `end`."""

    token: int
    begin: int
    end: int
    row: int
    quantity: int


class Market:
    """The ticks of one session; an instrument's place is its row in `tokens`, a tick's index its order in time.

    A steady market shows the open of each bar from the bar's first second on, so that packets between ticks repeat
    what stands and change no bar.
    """

    def __init__(self, bars: SessionBars, *, steady: bool = False, walls: Sequence[Wall] = ()) -> None:
        columns = spread_bars(bars)
        self._bars, self._walls = bars, tuple(walls)
        self._columns = _opened_at_once(bars, columns) if steady else columns
        self.tokens: Ints = np.unique(bars.token)
        first_bar = np.searchsorted(bars.token, self.tokens)
        self._previous_close: Floats = bars.previous_close[first_bar]
        self._opening_interest = opening_interest(bars.token[first_bar], bars.lot[first_bar])
        place = np.searchsorted(self.tokens, bars.token[self._columns.bar])
        self._place: Ints = place
        self._block = self._block_begin = UNKNOWN
        self._block_rows: Ticks = np.zeros(0, TICK)
        self._by_instrument: Ints = np.argsort(place, kind="stable")
        self._keys: Ints = (place * _APART + self._columns.time)[self._by_instrument]

    @property
    def first_second(self) -> int:
        """Return the start of the first bar."""
        return int(self._bars.start.min())

    @property
    def end_second(self) -> int:
        """Return the end of the last bar."""
        return int(self._bars.start.max()) + SECONDS_PER_BAR

    @property
    def bars(self) -> SessionBars:
        """Return the bars that the ticks rebuild."""
        return self._bars

    def places(self, tokens: Ints) -> Ints:
        """Return the place of each token, UNKNOWN where there is none."""
        found = np.searchsorted(self.tokens, tokens)
        there = self.tokens[np.minimum(found, len(self.tokens) - 1)] == tokens
        places: Ints = np.where(there, found, UNKNOWN)
        return places

    def ticks_in(self, second: int) -> tuple[Ints, Ints]:
        """Return the indices of a second's ticks in their order, and the places of their instruments."""
        begin, end = np.searchsorted(self._columns.time, [second, second + 1])
        return np.arange(begin, end), self._place[begin:end]

    def rows_in(self, second: int) -> tuple[Ticks, Ints]:
        """Return a second's ticks as rows, not to be changed, and the places of their instruments."""
        block = second // _BLOCK_SECONDS
        if block != self._block:
            edges = np.array([block, block + 1]) * _BLOCK_SECONDS
            begin, end = np.searchsorted(self._columns.time, edges)
            self._block, self._block_begin = block, int(begin)
            self._block_rows = self.rows(np.arange(begin, end))
        indices, places = self.ticks_in(second)
        begin = indices[0] - self._block_begin if len(indices) else 0
        return self._block_rows[begin : begin + len(indices)], places

    def next_second(self, second: int) -> int | None:
        """Return the first second from `second` on that has a tick, None after the last."""
        index = int(np.searchsorted(self._columns.time, second))
        return int(self._columns.time[index]) if index < len(self._columns) else None

    def latest(self, places: Ints, second: int) -> Ints:
        """Return the index of each instrument's last tick up to the end of `second`, UNKNOWN before its first."""
        at = np.searchsorted(self._keys, places * _APART + second, side="right") - 1
        safe = np.maximum(at, 0)
        there = (at >= 0) & (self._keys[safe] // _APART == places)
        found: Ints = np.where(there, self._by_instrument[safe], UNKNOWN)
        return found

    def in_minute(self, indices: Ints, second: int) -> NDArray[np.bool_]:
        """Tell which of these ticks belong to the bar that stands open in `second`."""
        minute = second - second % SECONDS_PER_BAR
        inside: NDArray[np.bool_] = self._bars.start[self._columns.bar[indices]] == minute
        return inside

    def forming(self, place: int, second: int) -> Ints:
        """Return the indices of an instrument's ticks of the minute of `second`, up to its end."""
        key = place * _APART + second
        begin = np.searchsorted(self._keys, key - second % SECONDS_PER_BAR)
        return self._by_instrument[begin : np.searchsorted(self._keys, key, side="right")]

    def rows(self, indices: Ints) -> Ticks:
        """Return ticks as full rows."""
        columns = TickColumns(*(getattr(self._columns, name)[indices] for name in TickColumns.__slots__))
        rows = tick_rows(self._bars, columns, 0, len(indices))
        for wall in self._walls:
            _build(wall, rows)
        return rows

    def yesterday(self, places: Ints, second: int) -> Ticks:
        """Return each instrument as the session before left it at `second`; the price is zero where that is unknown."""
        rows = np.zeros(len(places), TICK)
        token, close = self.tokens[places], self._previous_close[places]
        rows["token"], rows["segment"], rows["mode"] = token, token & 0xFF, int(Mode.FULL)
        rows["is_index"] = (token & 0xFF) == int(Segment.INDICES)
        for name in ("last_price", "open", "high", "low", "close"):
            rows[name] = close
        for name in ("open_interest", "open_interest_day_high", "open_interest_day_low"):
            rows[name] = self._opening_interest[places]
        rows["last_trade_time"] = rows["exchange_time"] = np.where(close > 0.0, second, 0)
        return rows


def _opened_at_once(bars: SessionBars, columns: TickColumns) -> TickColumns:
    """Bring the first tick of each bar forward to the bar's first second."""
    bar, first = np.unique(columns.bar, return_index=True)
    time = columns.time.copy()
    time[first] = bars.start[bar]
    order = np.argsort(time, kind="stable")
    moved = {name: getattr(columns, name)[order] for name in TickColumns.__slots__}
    moved["time"] = time[order]
    moved["last_trade_time"] = np.minimum(moved["last_trade_time"], moved["time"])
    return TickColumns(**moved)


def _build(wall: Wall, rows: Ticks) -> None:
    standing = (rows["token"] == wall.token) & (rows["exchange_time"] >= wall.begin)
    standing &= rows["exchange_time"] < wall.end
    rows["depth_quantity"][standing, wall.row] += wall.quantity
    side = "total_buy_quantity" if wall.row < DEPTH_ROWS // 2 else "total_sell_quantity"
    rows[side][standing] += wall.quantity


__all__ = ["UNKNOWN", "Market", "Wall"]
