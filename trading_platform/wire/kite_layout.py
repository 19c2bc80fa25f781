"""The layout of Kite's binary market data: packet lengths, segments, and the rows that frames are decoded into.

A frame is `u16 packets, packets x (u16 length, body)`, big-endian; the length of a body tells its kind. Price words are
signed and scaled by the segment's divisor, all other words are unsigned.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.jit import kernel

HEARTBEAT = b"\x00"

DEPTH_ROWS = 10
"""Rows 0 to 4 are bids, 5 to 9 asks, the best first."""

COUNT_BYTES = LENGTH_BYTES = 2
LTP_BYTES, INDEX_QUOTE_BYTES, INDEX_FULL_BYTES, QUOTE_BYTES, FULL_BYTES = 8, 28, 32, 44, 184
DEPTH_OFFSET, DEPTH_ROW_BYTES = 64, 12

Ticks = NDArray[np.void]
"""Rows of TICK."""

Damage = NDArray[np.void]
"""Rows of DAMAGE."""

Tick = Any
"""One row of TICK inside a kernel, where its columns are attributes."""

Buffer = NDArray[np.uint8]


class Mode(IntEnum):
    """How much a packet tells, as the official clients name it."""

    LTP = 1
    QUOTE = 2
    FULL = 3


class Segment(IntEnum):
    """The part of the market an instrument token belongs to: its low byte."""

    NSE = 1
    NFO = 2
    CDS = 3
    BSE = 4
    BFO = 5
    BCD = 6
    MCX = 7
    MCXSX = 8
    INDICES = 9
    NCO = 12


class DamageKind(IntEnum):
    """Why bytes of a frame were not decoded."""

    UNKNOWN_LENGTH = 1
    TRUNCATED = 2
    TRAILING_BYTES = 3
    MISSING_PACKETS = 4


# What a packet does not carry, and a time of zero, is wire.records.NULL_INT or NaN
TICK = np.dtype(
    [
        ("token", "<u4"),
        ("segment", "u1"),  # low byte of the token, also where Segment has no name for it
        ("mode", "u1"),  # Mode
        ("is_index", "u1"),  # 1: index layout (28 or 32 bytes), or LTP of segment INDICES
        ("pad", "u1"),
        ("last_price", "<f8"),
        ("last_quantity", "<i8"),
        ("average_price", "<f8"),
        ("volume", "<i8"),  # of the day so far
        ("total_buy_quantity", "<i8"),
        ("total_sell_quantity", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),  # of the previous session
        ("last_trade_time", "<i8"),  # seconds since the epoch
        ("open_interest", "<i8"),
        ("open_interest_day_high", "<i8"),
        ("open_interest_day_low", "<i8"),
        ("exchange_time", "<i8"),  # seconds since the epoch
        ("depth_price", "<f8", (DEPTH_ROWS,)),
        ("depth_quantity", "<i8", (DEPTH_ROWS,)),
        ("depth_orders", "<i4", (DEPTH_ROWS,)),
    ]
)

DAMAGE = np.dtype(
    [
        ("offset", "<i8"),  # in the buffer, not in the frame
        ("length", "<u4"),  # bytes that were not decoded; 0 is possible
        ("packets", "<u2"),  # announced packets that are lost with them
        ("kind", "u1"),  # DamageKind
        ("pad", "u1"),
    ]
)

_CDS, _BCD, _NCO = int(Segment.CDS), int(Segment.BCD), int(Segment.NCO)


@kernel
def tick_capacity(payload_bytes: int) -> int:
    """Return how many ticks a payload can hold at most; never less for a batch than for its payloads one by one."""
    return max(0, payload_bytes - COUNT_BYTES) // (LENGTH_BYTES + LTP_BYTES)


@kernel
def damage_capacity(payload_bytes: int) -> int:
    """Return how many rows of damage a payload can cause at most; additive over a batch like `tick_capacity`."""
    return payload_bytes // LENGTH_BYTES


@kernel
def price_divisor(segment: int) -> float:
    """Return what a price word of this segment is divided by."""
    if segment == _CDS:
        return 10_000_000.0
    return 10_000.0 if segment in (_BCD, _NCO) else 100.0
