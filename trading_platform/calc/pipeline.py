"""The pass: records in order, each decoded, folded into the state, and answered with rows; live and in history.

For every record, in this order: its receive time moves the watermark; its packets are folded in; their exchange times
move the watermark. Whenever it moves, bars whose end it passed are closed, minute by minute, one-minute bars before
five-minute bars, instruments in order of their rows. Last, if its receive second is new, the record is a pulse: one
block of features with the rows that changed since the last.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.closing import close_bars
from trading_platform.calc.kernel import inlined_kernel, kernel
from trading_platform.calc.packets import take_tick
from trading_platform.calc.pass_layout import (
    BARS,
    FEATURES,
    FINISHING,
    INDICATORS,
    LAST_OPEN,
    LAST_RECEIVED,
    LATENESS_SECONDS,
    LATEST_EXCHANGE,
    LONG_SLOTS,
    PATTERN_COUNT,
    PULSE_SECOND,
    PULSES,
    RECORD,
    SIGNALS,
    SLOTS,
    WATERMARK,
    Counter,
    Memory,
    Outputs,
)
from trading_platform.calc.pulses import pulse_features
from trading_platform.wire.journal_records import RecordKind
from trading_platform.wire.kite_packets import decode_frame

SILENCE_SECONDS = 5
"""In silence a bar closes this long after its end, in receive time."""
_FRAME, _TEXT, _CONTROL = int(RecordKind.FRAME), int(RecordKind.TEXT), int(RecordKind.CONTROL)
_NS = 1_000_000_000
_C_RECORDS = int(Counter.RECORDS)
_C_FRAMES = int(Counter.FRAMES)
_C_HEARTBEATS = int(Counter.HEARTBEATS)
_C_DAMAGED = int(Counter.DAMAGED_FRAMES)
_C_DAMAGED_BYTES = int(Counter.DAMAGED_BYTES)
_C_TEXT = int(Counter.TEXT)
_C_UNKNOWN_KIND = int(Counter.UNKNOWN_KIND)
_C_BEFORE = int(Counter.RECEIVED_BEFORE)


@kernel
def run(memory: Memory, out: Outputs, buffer: NDArray[np.uint8], table: NDArray[np.void], first: int, end: int) -> int:
    """Fold records `table[first:end]`; return the index of the first that was not: the buffers had no more room.

    `out` must hold at least what one record can produce (`empty_outputs`), counts at zero on the first call. With
    FINISHING set a record closes every bar that is open and pulses: the end of the data is the watermark.
    """
    scalars = memory.scalars
    for index in range(first, end):
        entry = table[index]
        if not _has_room(memory, out, entry.length):
            return index
        second = _receive(memory, entry.number, entry.received_ns)
        # silence first: behind a long one a packet must not find the slot of its minute still held by an open bar
        for turn in range(2):
            if turn == 1:
                _take_body(memory, out, buffer, entry.kind, entry.offset, entry.length, second)
            # the exchange's clock never moves the watermark beyond our own: one wrong stamp must not close every bar
            exchange = min(scalars[LATEST_EXCHANGE], second) - LATENESS_SECONDS
            silence = (scalars[LAST_RECEIVED] - SILENCE_SECONDS * _NS) // _NS
            scalars[WATERMARK] = max(scalars[WATERMARK], exchange, silence)
            if scalars[FINISHING] == 1:
                scalars[WATERMARK] = max(scalars[WATERMARK], (scalars[LAST_OPEN] + 1) * 60)
            close_bars(memory, out)
        if second > scalars[PULSE_SECOND] or scalars[FINISHING] == 1:
            scalars[PULSE_SECOND] = second
            pulse_features(memory, out)
    return end


@inlined_kernel
def _has_room(memory: Memory, out: Outputs, length: int) -> bool:
    instruments = len(memory.tokens)
    bars = instruments * (SLOTS + LONG_SLOTS) + 2 * (length // 10 + 1)
    return bool(
        len(out.bars) - out.counts[BARS] >= bars
        and len(out.indicators) - out.counts[INDICATORS] >= bars
        and len(out.signals) - out.counts[SIGNALS] >= bars * PATTERN_COUNT
        and len(out.features) - out.counts[FEATURES] >= instruments
        and len(out.pulses) - out.counts[PULSES] >= 1
    )


@inlined_kernel
def _receive(memory: Memory, number: int, received_ns: int) -> int:
    """Note a record and its time; return the second of the latest so far."""
    scalars = memory.scalars
    scalars[RECORD] = number
    memory.counters[_C_RECORDS] += 1
    if received_ns < scalars[LAST_RECEIVED]:
        memory.counters[_C_BEFORE] += 1
    scalars[LAST_RECEIVED] = max(scalars[LAST_RECEIVED], received_ns)
    return int(scalars[LAST_RECEIVED] // _NS)


@inlined_kernel
def _take_body(
    memory: Memory, out: Outputs, buffer: NDArray[np.uint8], kind: int, offset: int, length: int, second: int
) -> None:
    counters = memory.counters
    if kind == _FRAME and length > 1:
        counters[_C_FRAMES] += 1
        ticks, damaged = decode_frame(buffer, offset, offset + length, out.ticks, 0, out.damage, 0)
        if damaged > 0:
            counters[_C_DAMAGED] += 1
            for k in range(damaged):
                counters[_C_DAMAGED_BYTES] += out.damage[k].length
        for k in range(ticks):
            take_tick(memory, out, out.ticks[k], second)
    elif kind == _FRAME:
        counters[_C_HEARTBEATS] += 1
    elif kind == _TEXT:
        counters[_C_TEXT] += 1
    elif kind != _CONTROL:
        counters[_C_UNKNOWN_KIND] += 1
