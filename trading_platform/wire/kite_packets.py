"""Decode frames of Kite's websocket into preallocated rows; nothing that a frame holds is lost without a row of damage.

- An empty payload, one byte (the heartbeat) and a count of zero hold nothing and are no damage.
- Damage plus what was decoded plus the framing is every byte: the count word is framing, so is the length word of
  each packet that fits into the frame, known or unknown. TRUNCATED begins at its length word, whole or half.
- Ticks plus the packets that damage lost is the number that the count word announces.
"""

import numpy as np

from trading_platform.jit import kernel
from trading_platform.wire.kite_layout import (
    COUNT_BYTES,
    DAMAGE,
    DEPTH_OFFSET,
    DEPTH_ROW_BYTES,
    DEPTH_ROWS,
    FULL_BYTES,
    HEARTBEAT,
    INDEX_FULL_BYTES,
    INDEX_QUOTE_BYTES,
    LENGTH_BYTES,
    LTP_BYTES,
    QUOTE_BYTES,
    TICK,
    Buffer,
    Damage,
    DamageKind,
    Mode,
    Segment,
    Tick,
    Ticks,
    damage_capacity,
    price_divisor,
    tick_capacity,
)
from trading_platform.wire.records import NULL_INT

__all__ = [
    "DAMAGE",
    "DEPTH_ROWS",
    "HEARTBEAT",
    "TICK",
    "Damage",
    "DamageKind",
    "Mode",
    "Segment",
    "Ticks",
    "damage_capacity",
    "decode",
    "decode_frame",
    "price_divisor",
    "tick_capacity",
]

_LTP, _QUOTE, _FULL, _INDICES = int(Mode.LTP), int(Mode.QUOTE), int(Mode.FULL), int(Segment.INDICES)
_UNKNOWN_LENGTH, _TRUNCATED = int(DamageKind.UNKNOWN_LENGTH), int(DamageKind.TRUNCATED)
_TRAILING_BYTES, _MISSING_PACKETS = int(DamageKind.TRAILING_BYTES), int(DamageKind.MISSING_PACKETS)


@kernel
def decode_frame(
    buffer: Buffer, start: int, stop: int, ticks: Ticks, count: int, damage: Damage, damaged: int
) -> tuple[int, int]:
    """Decode the payload `buffer[start:stop]` into `ticks[count:]` and `damage[damaged:]`; return the new counts.

    Raises ValueError, before anything is written, when the payload lies outside the buffer or the rows left over are
    fewer than `tick_capacity` and `damage_capacity` ask for (or than the payload announces, where that is less).
    """
    if start < 0 or stop < start or stop > len(buffer) or count < 0 or damaged < 0:
        raise ValueError("the payload lies outside its buffer, or a count is negative")
    if stop - start < COUNT_BYTES:
        return count, damaged
    announced = _u16(buffer, start)
    if len(ticks) - count < min(announced, tick_capacity(stop - start)):
        raise ValueError("too few rows for ticks: ask tick_capacity")
    if len(damage) - damaged < min(announced + 1, damage_capacity(stop - start)):
        raise ValueError("too few rows for damage: ask damage_capacity")
    at = start + COUNT_BYTES
    for number in range(announced):
        if at == stop:
            return count, _add_damage(damage, damaged, at, 0, announced - number, _MISSING_PACKETS)
        body = at + LENGTH_BYTES
        end = body + _u16(buffer, at) if body <= stop else body
        if end > stop:
            return count, _add_damage(damage, damaged, at, stop - at, announced - number, _TRUNCATED)
        if _read_packet(buffer, body, end - body, ticks, count):
            count += 1
        else:
            damaged = _add_damage(damage, damaged, body, end - body, 1, _UNKNOWN_LENGTH)
        at = end
    if at < stop:
        damaged = _add_damage(damage, damaged, at, stop - at, 0, _TRAILING_BYTES)
    return count, damaged


def decode(payload: bytes) -> tuple[Ticks, Damage]:
    """Decode one payload."""
    announced = int.from_bytes(payload[:COUNT_BYTES], "big")
    ticks = np.empty(min(announced, tick_capacity(len(payload))), TICK)
    damage = np.empty(min(announced + 1, damage_capacity(len(payload))), DAMAGE)
    buffer = np.frombuffer(payload, np.uint8)
    count, damaged = decode_frame(buffer, 0, len(payload), ticks, 0, damage, 0)
    return ticks[:count], damage[:damaged]


@kernel
def _byte(buffer: Buffer, at: int) -> int:
    # an unsigned index cannot mean "from the end", and so the bytes of a word become one load
    byte: int = buffer[np.uint64(at)]
    return byte


@kernel
def _u16(buffer: Buffer, at: int) -> int:
    return (_byte(buffer, at) << 8) | _byte(buffer, at + 1)


@kernel
def _u32(buffer: Buffer, at: int) -> int:
    return (
        (_byte(buffer, at) << 24) | (_byte(buffer, at + 1) << 16) | (_byte(buffer, at + 2) << 8) | _byte(buffer, at + 3)
    )


@kernel
def _price(buffer: Buffer, at: int, divisor: float) -> float:
    # MCX crude oil settled below zero in April 2020: a price has a sign, though the official Python client ignores it
    return ((_u32(buffer, at) ^ 0x80000000) - 0x80000000) / divisor


@kernel
def _time(buffer: Buffer, at: int) -> int:
    seconds = _u32(buffer, at)
    return seconds if seconds != 0 else NULL_INT


@kernel
def _add_damage(damage: Damage, damaged: int, offset: int, length: int, packets: int, kind: int) -> int:
    row = damage[damaged]
    row.offset = offset
    row.length = length
    row.packets = packets
    row.kind = kind
    row.pad = 0
    return damaged + 1


@kernel
def _read_packet(buffer: Buffer, at: int, length: int, ticks: Ticks, row: int) -> bool:
    known = length in (LTP_BYTES, QUOTE_BYTES, FULL_BYTES, INDEX_QUOTE_BYTES, INDEX_FULL_BYTES)
    if not known:
        return False
    tick = ticks[row]
    token = _u32(buffer, at)
    segment = token & 0xFF
    divisor = price_divisor(segment)
    index_layout = length in (INDEX_QUOTE_BYTES, INDEX_FULL_BYTES)
    tick.token = token
    tick.segment = segment
    tick.is_index = index_layout or (length == LTP_BYTES and segment == _INDICES)
    tick.pad = 0
    tick.last_price = _price(buffer, at + 4, divisor)
    _read_body(buffer, at, length, tick, divisor)
    return True


@kernel
def _read_body(buffer: Buffer, at: int, length: int, tick: Tick, divisor: float) -> None:
    if length == FULL_BYTES:
        tick.mode = _FULL
        _read_quote(buffer, at, tick, divisor)
        _read_full(buffer, at, tick, divisor)
        return
    _null_full(tick)
    if length == QUOTE_BYTES:
        tick.mode = _QUOTE
        _read_quote(buffer, at, tick, divisor)
        return
    _null_quote(tick)
    if length == LTP_BYTES:
        tick.mode = _LTP
        return
    tick.mode = _QUOTE
    _read_index(buffer, at, tick, divisor)
    if length == INDEX_FULL_BYTES:
        tick.mode = _FULL
        tick.exchange_time = _time(buffer, at + 28)


@kernel
def _read_index(buffer: Buffer, at: int, tick: Tick, divisor: float) -> None:
    # indices have an order of their own; the word at 24 is a rounded change that can be computed from these
    tick.high = _price(buffer, at + 8, divisor)
    tick.low = _price(buffer, at + 12, divisor)
    tick.open = _price(buffer, at + 16, divisor)
    tick.close = _price(buffer, at + 20, divisor)


@kernel
def _read_quote(buffer: Buffer, at: int, tick: Tick, divisor: float) -> None:
    tick.last_quantity = _u32(buffer, at + 8)
    tick.average_price = _price(buffer, at + 12, divisor)
    tick.volume = _u32(buffer, at + 16)
    tick.total_buy_quantity = _u32(buffer, at + 20)
    tick.total_sell_quantity = _u32(buffer, at + 24)
    tick.open = _price(buffer, at + 28, divisor)
    tick.high = _price(buffer, at + 32, divisor)
    tick.low = _price(buffer, at + 36, divisor)
    tick.close = _price(buffer, at + 40, divisor)


@kernel
def _read_full(buffer: Buffer, at: int, tick: Tick, divisor: float) -> None:
    tick.last_trade_time = _time(buffer, at + 44)
    tick.open_interest = _u32(buffer, at + 48)
    tick.open_interest_day_high = _u32(buffer, at + 52)
    tick.open_interest_day_low = _u32(buffer, at + 56)
    tick.exchange_time = _time(buffer, at + 60)
    for row in range(DEPTH_ROWS):
        level = at + DEPTH_OFFSET + row * DEPTH_ROW_BYTES
        tick.depth_quantity[row] = _u32(buffer, level)
        tick.depth_price[row] = _price(buffer, level + 4, divisor)
        tick.depth_orders[row] = _u16(buffer, level + 8)


@kernel
def _null_quote(tick: Tick) -> None:
    tick.last_quantity = NULL_INT
    tick.average_price = np.nan
    tick.volume = NULL_INT
    tick.total_buy_quantity = NULL_INT
    tick.total_sell_quantity = NULL_INT
    tick.open = np.nan
    tick.high = np.nan
    tick.low = np.nan
    tick.close = np.nan


@kernel
def _null_full(tick: Tick) -> None:
    tick.last_trade_time = NULL_INT
    tick.open_interest = NULL_INT
    tick.open_interest_day_high = NULL_INT
    tick.open_interest_day_low = NULL_INT
    tick.exchange_time = NULL_INT
    for row in range(DEPTH_ROWS):
        tick.depth_price[row] = np.nan
        tick.depth_quantity[row] = NULL_INT
        tick.depth_orders[row] = NULL_INT
