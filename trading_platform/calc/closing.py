"""Closing bars when the watermark has passed their end: minute by minute, one-minute bars before five-minute bars."""

from trading_platform.calc.bars import close_long, close_minute, long_slot, minute_slot
from trading_platform.calc.closed_bar import after_close, emit_bar
from trading_platform.calc.kernel import kernel
from trading_platform.calc.pass_layout import (
    LAST_CLOSED,
    LONG_MINUTES,
    MIDNIGHT,
    MINUTE,
    NEXT_MINUTE,
    RUNNING,
    STATUS,
    WATERMARK,
    Memory,
    Outputs,
)
from trading_platform.calc.pulses import mark_dirty


@kernel
def close_bars(memory: Memory, out: Outputs) -> None:
    """Close every bar that ends at or before the watermark."""
    scalars = memory.scalars
    if scalars[NEXT_MINUTE] == 0:
        scalars[NEXT_MINUTE] = scalars[MIDNIGHT] // 60
    while (scalars[NEXT_MINUTE] + 1) * 60 <= scalars[WATERMARK]:
        _close_one_minute(memory, out, scalars[NEXT_MINUTE])
        scalars[NEXT_MINUTE] += 1


@kernel
def _close_one_minute(memory: Memory, out: Outputs, minute: int) -> None:
    for index in range(len(memory.tokens)):
        row = memory.state[index]
        slot = minute_slot(row, minute)
        if slot[STATUS] == RUNNING and slot[MINUTE] == minute:
            close_minute(row, slot)
            emit_bar(memory, out, index, slot, 1)
            after_close(memory, out, index, slot, 1)
            mark_dirty(memory, index)
    if (minute + 1) % LONG_MINUTES != 0:
        return
    closed = False
    for index in range(len(memory.tokens)):
        row = memory.state[index]
        longer = long_slot(row, minute)
        if longer[STATUS] == RUNNING and longer[MINUTE] == minute - minute % LONG_MINUTES:
            close_long(row, longer)
            emit_bar(memory, out, index, longer, LONG_MINUTES)
            after_close(memory, out, index, longer, LONG_MINUTES)
            mark_dirty(memory, index)
            closed = True
    if closed:
        memory.scalars[LAST_CLOSED] = (minute + 1) * 60
