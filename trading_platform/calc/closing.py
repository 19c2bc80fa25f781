"""Closing bars when the watermark has passed their end: minute by minute, one-minute bars before five-minute bars."""

from trading_platform.calc.bars import close_long, close_minute, long_slot, minute_slot
from trading_platform.calc.closed_bar import FIVE_MINUTES, ONE_MINUTE, after_close, emit_bar
from trading_platform.calc.kernel import borrowing_kernel
from trading_platform.calc.pass_layout import (
    KIND,
    LAST_CLOSED,
    LAST_OPEN,
    LONG_MINUTES,
    MINUTE,
    NEXT_MINUTE,
    OUTSIDE,
    RUNNING,
    STATUS,
    VOLUME,
    WATERMARK,
    Counter,
    Memory,
    Outputs,
)
from trading_platform.calc.pulses import mark_dirty

_C_OUTSIDE_VOLUME = int(Counter.OUTSIDE_VOLUME)


@borrowing_kernel
def close_bars(memory: Memory, out: Outputs) -> None:
    """Close every bar that ends at or before the watermark."""
    scalars = memory.scalars
    reached = scalars[WATERMARK] // 60
    # minutes that hold no open bar are passed in one step, however many they are
    while scalars[NEXT_MINUTE] < reached and scalars[NEXT_MINUTE] <= scalars[LAST_OPEN]:
        minute = scalars[NEXT_MINUTE]
        _close_interval(memory, out, minute, ONE_MINUTE)
        if (minute + 1) % LONG_MINUTES == 0:
            _close_interval(memory, out, minute, FIVE_MINUTES)
        scalars[NEXT_MINUTE] += 1
    scalars[NEXT_MINUTE] = max(scalars[NEXT_MINUTE], reached)


@borrowing_kernel
def _close_interval(memory: Memory, out: Outputs, minute: int, interval: int) -> None:
    """Close the bars of one length whose last minute is `minute`."""
    start = minute + 1 - interval
    for index in range(len(memory.tokens)):
        row = memory.state[index]
        slot = row[minute_slot(minute) if interval == 1 else long_slot(minute)]
        if slot[STATUS] != RUNNING or slot[MINUTE] != start:
            continue
        if interval == 1:
            close_minute(memory, index, slot)
        else:
            close_long(memory, index, slot)
            memory.scalars[LAST_CLOSED] = (minute + 1) * 60
        if slot[KIND] == OUTSIDE:
            if slot[VOLUME] > 0.0:
                memory.counters[_C_OUTSIDE_VOLUME] += int(slot[VOLUME])
            continue
        emit_bar(memory, out, index, slot, interval)
        after_close(memory, out, index, slot, interval)
        mark_dirty(memory, index)
