"""Write ticks as a frame of Kite's websocket, the mirror of `wire.kite_packets`, for the player and the simulator.

A tick takes the packet of its mode; `is_index` chooses the index layout. Start rows from `np.zeros(n, TICK)`: zero is
how Kite writes what it does not know, a null time becomes a zero word, and only what the packet carries is read.
"""

import numpy as np

from trading_platform.errors import PacketError
from trading_platform.jit import kernel
from trading_platform.wire.kite_layout import (
    COUNT_BYTES,
    DEPTH_OFFSET,
    DEPTH_ROW_BYTES,
    DEPTH_ROWS,
    FULL_BYTES,
    INDEX_FULL_BYTES,
    INDEX_QUOTE_BYTES,
    LENGTH_BYTES,
    LTP_BYTES,
    QUOTE_BYTES,
    TICK,
    Buffer,
    Mode,
    Tick,
    Ticks,
    price_divisor,
)
from trading_platform.wire.records import NULL_INT

_LTP, _QUOTE, _FULL = int(Mode.LTP), int(Mode.QUOTE), int(Mode.FULL)
_U16_MAX, _U32_MAX, _I32_MAX, _I32_MIN = 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, -0x80000000


def encode_frame(ticks: Ticks) -> bytes:
    """Write one payload with a packet for each row of TICK; prices round to the nearest word of their segment.

    Raise PacketError when a row cannot be said in Kite's words (a null or too big value, an unknown mode).
    """
    if ticks.dtype != TICK:
        raise PacketError(f"encode_frame takes rows of TICK, not of {ticks.dtype}")
    if len(ticks) > _U16_MAX:
        raise PacketError(f"{len(ticks)} ticks do not fit into one frame: split them, {_U16_MAX} at most")
    buffer = np.zeros(COUNT_BYTES + len(ticks) * (LENGTH_BYTES + FULL_BYTES), np.uint8)
    size, bad_row = _write_frame(buffer, ticks)
    if bad_row >= 0:
        raise PacketError(f"tick {bad_row} of the frame does not fit into a packet of its mode: {ticks[bad_row]}")
    return buffer[:size].tobytes()


@kernel
def packet_bytes(mode: int, is_index: int) -> int:
    """Return the length of the packet that carries a tick of this mode; 0 for an unknown mode."""
    if mode == _LTP:
        return LTP_BYTES
    if mode == _QUOTE:
        return INDEX_QUOTE_BYTES if is_index else QUOTE_BYTES
    if mode == _FULL:
        return INDEX_FULL_BYTES if is_index else FULL_BYTES
    return 0


@kernel
def _write_frame(buffer: Buffer, ticks: Ticks) -> tuple[int, int]:
    """Return the size of the frame, and the first row that does not fit or -1."""
    _put(buffer, 0, 2, len(ticks))
    at = COUNT_BYTES
    for row in range(len(ticks)):
        length = packet_bytes(ticks[row].mode, ticks[row].is_index)
        _put(buffer, at, 2, length)
        if length == 0 or not _write_packet(buffer, at + LENGTH_BYTES, length, ticks[row]):
            return at, row
        at += LENGTH_BYTES + length
    return at, -1


@kernel
def _write_packet(buffer: Buffer, at: int, length: int, tick: Tick) -> bool:
    divisor = price_divisor(tick.token & 0xFF)
    _put(buffer, at, 4, np.int64(tick.token))
    good = _put_price(buffer, at + 4, tick.last_price, divisor)
    if length in (INDEX_QUOTE_BYTES, INDEX_FULL_BYTES):
        good &= _write_index(buffer, at, tick, divisor)
    if length == INDEX_FULL_BYTES:
        good &= _put_time(buffer, at + 28, tick.exchange_time)
    if length in (QUOTE_BYTES, FULL_BYTES):
        good &= _write_quote(buffer, at, tick, divisor)
    if length == FULL_BYTES:
        good &= _write_full(buffer, at, tick, divisor)
    return good


@kernel
def _write_index(buffer: Buffer, at: int, tick: Tick, divisor: float) -> bool:
    good = _put_price(buffer, at + 8, tick.high, divisor)
    good &= _put_price(buffer, at + 12, tick.low, divisor)
    good &= _put_price(buffer, at + 16, tick.open, divisor)
    good &= _put_price(buffer, at + 20, tick.close, divisor)
    # a rounded change that clients ignore: at its limit rather than refused when two far prices are apart
    change = np.rint((tick.last_price - tick.close) * divisor)
    return good and _put_price(buffer, at + 24, min(max(change, _I32_MIN), _I32_MAX) / divisor, divisor)


@kernel
def _write_quote(buffer: Buffer, at: int, tick: Tick, divisor: float) -> bool:
    good = _put_count(buffer, at + 8, tick.last_quantity)
    good &= _put_price(buffer, at + 12, tick.average_price, divisor)
    good &= _put_count(buffer, at + 16, tick.volume)
    good &= _put_count(buffer, at + 20, tick.total_buy_quantity)
    good &= _put_count(buffer, at + 24, tick.total_sell_quantity)
    good &= _put_price(buffer, at + 28, tick.open, divisor)
    good &= _put_price(buffer, at + 32, tick.high, divisor)
    good &= _put_price(buffer, at + 36, tick.low, divisor)
    good &= _put_price(buffer, at + 40, tick.close, divisor)
    return good


@kernel
def _write_full(buffer: Buffer, at: int, tick: Tick, divisor: float) -> bool:
    good = _put_time(buffer, at + 44, tick.last_trade_time)
    good &= _put_count(buffer, at + 48, tick.open_interest)
    good &= _put_count(buffer, at + 52, tick.open_interest_day_high)
    good &= _put_count(buffer, at + 56, tick.open_interest_day_low)
    good &= _put_time(buffer, at + 60, tick.exchange_time)
    for row in range(DEPTH_ROWS):
        level = at + DEPTH_OFFSET + row * DEPTH_ROW_BYTES
        orders = tick.depth_orders[row]
        good &= _put_count(buffer, level, tick.depth_quantity[row])
        good &= _put_price(buffer, level + 4, tick.depth_price[row], divisor)
        good &= 0 <= orders <= _U16_MAX
        _put(buffer, level + 8, 2, np.int64(orders))
    return good


@kernel
def _put(buffer: Buffer, at: int, size: int, word: int | np.int64) -> None:
    for i in range(size):
        buffer[at + i] = (word >> (8 * (size - 1 - i))) & 0xFF


@kernel
def _put_count(buffer: Buffer, at: int, value: int) -> bool:
    _put(buffer, at, 4, value)
    return 0 <= value <= _U32_MAX


@kernel
def _put_time(buffer: Buffer, at: int, seconds: int) -> bool:
    return _put_count(buffer, at, 0 if seconds == NULL_INT else seconds)


@kernel
def _put_price(buffer: Buffer, at: int, price: float, divisor: float) -> bool:
    word = np.rint(price * divisor)
    # a NaN fails both comparisons
    if not _I32_MIN <= word <= _I32_MAX:
        return False
    _put(buffer, at, 4, np.int64(word))
    return True
