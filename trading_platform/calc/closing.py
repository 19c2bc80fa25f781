"""Closing bars when the watermark has passed their end: minute by minute, one-minute bars before five-minute bars."""

from trading_platform.calc.bars import close_long, close_minute, long_slot, minute_slot
from trading_platform.calc.closed_bar import FIVE_MINUTES, ONE_MINUTE, after_close, emit_bar
from trading_platform.calc.kernel import Row, borrowing_kernel
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
        for turn in range(2 if (minute + 1) % LONG_MINUTES == 0 else 1):
            interval = ONE_MINUTE if turn == 0 else FIVE_MINUTES
            for index in range(len(memory.tokens)):
                slot = memory.state[index][minute_slot(minute) if turn == 0 else long_slot(minute)]
                if slot[STATUS] == RUNNING and slot[MINUTE] == minute + 1 - interval:
                    _close(memory, out, index, slot, interval)
        scalars[NEXT_MINUTE] += 1
    scalars[NEXT_MINUTE] = max(scalars[NEXT_MINUTE], reached)


@borrowing_kernel
def _close(memory: Memory, out: Outputs, index: int, slot: Row, interval: int) -> None:
    if interval == 1:
        close_minute(memory, index, slot)
    else:
        close_long(memory, index, slot)
        memory.scalars[LAST_CLOSED] = (int(slot[MINUTE]) + LONG_MINUTES) * 60
    if slot[KIND] == OUTSIDE:
        if slot[VOLUME] > 0.0:
            memory.counters[_C_OUTSIDE_VOLUME] += int(slot[VOLUME])
        return
    emit_bar(memory, out, index, slot, interval)
    after_close(memory, out, index, slot, interval)
    mark_dirty(memory, index)
