"""Turn the minute bars of a session into ticks that rebuild each bar exactly, with as few ticks as that takes.

A bar's path is open, one extreme, the other, close (the low first when the bar rises); an extreme that open or close
already touches needs no tick of its own. The bar's volume is shared out over its ticks, so a share traded alone
belongs to the last of them. What a bar does not tell (depth, waiting quantities, open interest) is made up, the same
every time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.market.bar_rules import MAX_PRICE_WORD
from trading_platform.simulator.open_interest import bar_interest
from trading_platform.simulator.scatter import scatter
from trading_platform.wire.kite_packets import DEPTH_ROWS, TICK, Mode, Segment, Ticks, price_divisor
from trading_platform.wire.records import NULL_INT

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SECONDS_PER_BAR = 60
_SIDE = DEPTH_ROWS // 2
_LARGEST_LOT = 100_000
"""Made-up quantities grow with the lot up to here, so that their sum fits its word."""


@dataclass(frozen=True, slots=True)
class SessionBars:
    """One session's minute bars as columns, in order of token and start; every price sits on its segment's wire grid.

    `start` is in seconds since the epoch, `volume` is zero for an index, `previous_close` zero where unknown.
    """

    token: Ints
    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints
    lot: Ints
    previous_close: Floats

    def __len__(self) -> int:
        return len(self.token)


@dataclass(frozen=True, slots=True)
class TickColumns:
    """The ticks of a session in order of exchange time, as columns; prices are wire words."""

    bar: Ints
    time: Ints
    word: Ints
    volume: Ints
    last_quantity: Ints
    last_trade_time: Ints
    average_word: Ints
    high_word: Ints
    low_word: Ints
    open_word: Ints
    interest: Ints
    highest_interest: Ints
    lowest_interest: Ints

    def __len__(self) -> int:
        return len(self.bar)


def spread_bars(bars: SessionBars) -> TickColumns:
    """Return all ticks of these bars, sorted by their second; the instruments of one second are mixed."""
    path, needed = _paths(bars)
    bar, step = np.nonzero(needed)
    count = needed.sum(axis=1)
    ordinal = (np.cumsum(needed, axis=1) - 1)[bar, step]
    word = _words(bars, path)[bar, step]
    group = np.cumsum(np.diff(bars.token, prepend=bars.token[:1]) != 0)[bar]
    first = np.searchsorted(group, group)
    time = _seconds(bars, bar, ordinal, count)
    volume = _volumes(bars, bar, ordinal, count)
    place = np.arange(len(bar))
    traded = np.where(place == first, volume, np.diff(volume, prepend=0))
    last = np.maximum.accumulate(np.where(traded > 0, place, -1))
    last = np.where(last < first, -1, last)
    interest = bar_interest(bars.token, bars.start, bars.volume, bars.lot)[bar]
    columns = TickColumns(
        bar=bar,
        time=time,
        word=word,
        volume=volume,
        last_quantity=np.where(last < 0, 0, traded[last]),
        last_trade_time=np.where(last < 0, NULL_INT, time[last]),
        average_word=_average(word, traded, volume, first),
        high_word=_running_highest(word, group),
        low_word=-_running_highest(-word, group),
        open_word=word[first],
        interest=interest,
        highest_interest=_running_highest(interest, group),
        lowest_interest=-_running_highest(-interest, group),
    )
    return _sorted_by_time(columns, bars)


def tick_rows(bars: SessionBars, columns: TickColumns, begin: int, end: int) -> Ticks:
    """Return ticks `begin` to `end` as rows that the wire's encoder takes."""
    part = slice(begin, end)
    bar, word = columns.bar[part], columns.word[part]
    rows = np.zeros(len(bar), TICK)
    token = bars.token[bar]
    divisor = _divisors(token)
    rows["token"], rows["segment"] = token, token & 0xFF
    rows["mode"], rows["is_index"] = int(Mode.FULL), (token & 0xFF) == int(Segment.INDICES)
    rows["last_price"] = word / divisor
    rows["last_quantity"] = columns.last_quantity[part]
    rows["average_price"] = columns.average_word[part] / divisor
    rows["volume"] = columns.volume[part]
    rows["open_interest"] = columns.interest[part]
    rows["open_interest_day_high"] = columns.highest_interest[part]
    rows["open_interest_day_low"] = columns.lowest_interest[part]
    rows["open"], rows["close"] = columns.open_word[part] / divisor, bars.previous_close[bar]
    rows["high"], rows["low"] = columns.high_word[part] / divisor, columns.low_word[part] / divisor
    rows["last_trade_time"], rows["exchange_time"] = columns.last_trade_time[part], columns.time[part]
    _fill_depth(rows, word, bars.lot[bar], divisor)
    return rows


def _paths(bars: SessionBars) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the four prices of each bar's path, and which of them need a tick."""
    rises = bars.close >= bars.open
    path = np.stack(
        [bars.open, np.where(rises, bars.low, bars.high), np.where(rises, bars.high, bars.low), bars.close], axis=1
    )
    inner = (path[:, 1:3] != bars.open[:, None]) & (path[:, 1:3] != bars.close[:, None])
    needed = np.ones(path.shape, bool)
    needed[:, 1:3] = inner
    needed[:, 3] = inner.any(axis=1) | (bars.close != bars.open)
    return path, needed


def _divisors(token: Ints) -> Floats:
    by_segment = np.array([price_divisor(segment) for segment in range(256)])
    divisors: Floats = by_segment[token & 0xFF]
    return divisors


def _words(bars: SessionBars, path: Floats) -> Ints:
    words: Ints = np.rint(path * _divisors(bars.token)[:, None]).astype(np.int64)
    return words


def _seconds(bars: SessionBars, bar: Ints, ordinal: Ints, count: Ints) -> Ints:
    """Give each tick a second in its own equal part of the minute."""
    width = SECONDS_PER_BAR // count[bar]
    start = bars.start[bar]
    seconds: Ints = start + ordinal * width + scatter(bars.token[bar], start, ordinal) % width
    return seconds


def _volumes(bars: SessionBars, bar: Ints, ordinal: Ints, count: Ints) -> Ints:
    """Return the day's volume after each tick: whole lots are shared evenly, what is left comes with the last tick."""
    running = np.cumsum(bars.volume)
    before = running - bars.volume
    before -= before[np.searchsorted(bars.token, bars.token)]
    lots, rest = np.divmod(bars.volume, bars.lot)
    done = ordinal + 1
    shared = lots[bar] * done // count[bar] * bars.lot[bar]
    volumes: Ints = before[bar] + shared + np.where(done == count[bar], rest[bar], 0)
    return volumes


def _average(word: Ints, traded: Ints, volume: Ints, first: Ints) -> Ints:
    """Return the day's average price so far in words, zero before the first trade."""
    # whole numbers wrap around, so the difference is exact whatever other instruments have turned over before
    turnover = np.cumsum(word * traded)
    own = turnover - (turnover - word * traded)[first]
    mean = np.divide(own, volume, out=np.zeros(len(word)), where=volume > 0)
    words: Ints = np.rint(mean).astype(np.int64)
    return words


def _running_highest(word: Ints, group: Ints) -> Ints:
    """Return the highest word so far within each group; groups stand together."""
    apart = group * (1 << 34)
    highest: Ints = np.maximum.accumulate(word + apart) - apart
    return highest


def _sorted_by_time(columns: TickColumns, bars: SessionBars) -> TickColumns:
    order = np.lexsort((scatter(bars.token[columns.bar], columns.time, columns.time), columns.time))
    return TickColumns(*(getattr(columns, name)[order] for name in TickColumns.__slots__))


def _fill_depth(rows: Ticks, word: Ints, lot: Ints, divisor: Floats) -> None:
    """Put five bids and five asks around the last price; what is not above zero or fits no word is an empty row."""
    level = np.arange(_SIDE)
    seed = scatter(rows["token"].astype(np.int64), rows["exchange_time"], np.full(len(rows), 7))
    step = np.where(word % 5 == 0, 5, 1)
    best_bid = word - step * (seed & 1)
    bids = best_bid[:, None] - step[:, None] * level
    asks = (best_bid + step)[:, None] + step[:, None] * level
    prices = np.concatenate([bids, asks], axis=1)
    noise = scatter(seed[:, None], np.arange(DEPTH_ROWS)[None, :], np.zeros((1, 1), np.int64))
    there = (prices > 0) & (prices <= MAX_PRICE_WORD)
    quantity = np.where(there, np.minimum(lot, _LARGEST_LOT)[:, None] * (1 + noise % 97), 0)
    rows["depth_price"] = np.where(there, prices, 0) / divisor[:, None]
    rows["depth_quantity"] = quantity
    rows["depth_orders"] = np.where(there, 1 + noise % 13, 0)
    rows["total_buy_quantity"] = quantity[:, :_SIDE].sum(axis=1) * (3 + seed % 5)
    rows["total_sell_quantity"] = quantity[:, _SIDE:].sum(axis=1) * (3 + (seed >> 8) % 5)
