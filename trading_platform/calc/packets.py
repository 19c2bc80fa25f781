"""What one packet does to its instrument: which time it has, what was traded, which bar it belongs to."""

from typing import Any

import numpy as np

from trading_platform.calc.bars import (
    add_flag,
    close_unseen,
    extend_bar,
    is_reconciled,
    long_slot,
    minute_slot,
    open_bar,
    place_volume,
    revise_minute,
)
from trading_platform.calc.closed_bar import FIVE_MINUTES, ONE_MINUTE, emit_bar
from trading_platform.calc.kernel import Row, borrowing_kernel, inlined_kernel
from trading_platform.calc.pass_layout import (
    AFTER_GAP,
    BAR_TRADED,
    BAR_VALUE,
    BUY_TOTAL,
    DAY_VOLUME,
    EMPTY,
    EVENT_TIME,
    EXCHANGE_TIME,
    FLAGS,
    LAST_OPEN,
    LATEST_EXCHANGE,
    LONG_MINUTES,
    MIDNIGHT,
    MINUTE,
    NEXT_MINUTE,
    OUTSIDE,
    PHASES,
    PRICE,
    RUNNING_FLAGS,
    SEEN,
    SELL_TOTAL,
    STATUS,
    TRADED,
    VALUE_SUM,
    VOLUME_SUM,
    WATERMARK,
    BarFlag,
    Counter,
    Memory,
    Outputs,
    first_slot,
)
from trading_platform.calc.pulses import keep_latest, mark_dirty
from trading_platform.calc.traded_volume import FELL, FIRST_SNAPSHOT, REORDERED, SAME, traded_volume_step

REVISION_SECONDS = 30
"""A packet that comes at most this long after the close of its bar revises it."""
AHEAD_SECONDS = 60
"""An exchange time further ahead of receive time than this is not believed."""
_SNAPSHOT = int(BarFlag.SNAPSHOT)
_FIRST_AFTER_GAP = int(BarFlag.GAP) | int(BarFlag.AFTER_GAP)
_RECEIVE_TIME = int(BarFlag.RECEIVE_TIME)
_VOLUME_FELL = int(BarFlag.VOLUME_FELL)
_C_PACKETS = int(Counter.PACKETS)
_C_UNKNOWN = int(Counter.UNKNOWN_TOKEN)
_C_NO_SESSION = int(Counter.NO_SESSION)
_C_PREVIOUS = int(Counter.PREVIOUS_SESSION)
_C_AHEAD = int(Counter.CLOCK_AHEAD)
_C_NO_PRICE = int(Counter.NO_PRICE)
_C_DUPLICATES = int(Counter.DUPLICATES)
_C_REORDERED = int(Counter.REORDERED)
_C_FELL = int(Counter.VOLUME_FELL)
_C_OUTSIDE = int(Counter.OUTSIDE_PHASES)
_C_LATE = int(Counter.LATE)
_C_REVISIONS = int(Counter.REVISIONS)
_C_LATE_VOLUME = int(Counter.LATE_VOLUME)
_C_OUTSIDE_VOLUME = int(Counter.OUTSIDE_VOLUME)
_C_SNAPSHOT_VOLUME = int(Counter.SNAPSHOT_VOLUME)


@inlined_kernel
def take_tick(memory: Memory, out: Outputs, tick: Any, second: int) -> None:
    """Fold one decoded packet that came in this second (since the epoch); count what cannot be used."""
    counters = memory.counters
    counters[_C_PACKETS] += 1
    index = row_of(memory, int(tick.token))
    if index < 0:
        counters[_C_UNKNOWN] += 1
        return
    row = memory.state[index]
    keep_latest(memory, index, tick)
    if row[PHASES] < 0.0:
        counters[_C_NO_SESSION] += 1
        return
    if tick.last_price == 0.0:
        counters[_C_NO_PRICE] += 1
        return
    time, flag = _time_of(memory, tick.exchange_time, second)
    if time < memory.scalars[MIDNIGHT]:
        counters[_C_PREVIOUS] += 1
        return
    kind = _phase(memory, row, time)
    if flag == 0:
        memory.scalars[LATEST_EXCHANGE] = max(memory.scalars[LATEST_EXCHANGE], time)
    elif kind == OUTSIDE:
        # without a time of the exchange it may be of any day, as what is sent before the first phase often is
        counters[_C_OUTSIDE] += 1
        return
    _fold(memory, out, index, tick, time, flag, kind)


@inlined_kernel
def row_of(memory: Memory, token: int) -> int:
    """Return the row of a token, -1 when it was not subscribed."""
    size = len(memory.token_keys)
    at = first_slot(token, size)
    while memory.token_keys[at] != 0:
        if memory.token_keys[at] == token:
            return int(memory.token_rows[at])
        at = (at + 1) & (size - 1)
    return -1


@inlined_kernel
def _time_of(memory: Memory, exchange_time: int, second: int) -> tuple[int, int]:
    if exchange_time < 0:
        return second, _RECEIVE_TIME
    if exchange_time > second + AHEAD_SECONDS:
        memory.counters[_C_AHEAD] += 1
        return second, _RECEIVE_TIME
    return exchange_time, 0


@inlined_kernel
def _fold(memory: Memory, out: Outputs, index: int, tick: Any, time: int, flag: int, kind: int) -> None:
    row = memory.state[index]
    volume = float(tick.volume) if tick.volume >= 0 and tick.is_index == 0 else np.nan
    if flag == 0 and _is_duplicate(row, tick, time, volume):
        memory.counters[_C_DUPLICATES] += 1
        return
    traded, change = 0.0, SAME
    if volume == volume:
        traded, change = traded_volume_step(row, volume, float(time))
        flag |= _note_change(memory, row, tick, change)
    row[SEEN] += 1.0
    if time > row[EVENT_TIME] or (time == row[EVENT_TIME] and change != REORDERED):
        row[EVENT_TIME] = time
        row[PRICE] = tick.last_price
        row[BUY_TOTAL], row[SELL_TOTAL] = float(tick.total_buy_quantity), float(tick.total_sell_quantity)
    if flag & _RECEIVE_TIME == 0:
        row[EXCHANGE_TIME] = max(row[EXCHANGE_TIME], float(time))
    mark_dirty(memory, index)
    if kind == OUTSIDE:
        memory.counters[_C_OUTSIDE] += 1
    _into_bar(memory, out, index, kind, tick.last_price, time, volume, traded, flag)


@inlined_kernel
def _is_duplicate(row: Row, tick: Any, time: int, volume: float) -> bool:
    return bool(
        row[SEEN] > 0.0
        and time == row[EVENT_TIME]
        and tick.last_price == row[PRICE]
        and (volume == row[DAY_VOLUME] or volume != volume)
        and float(tick.total_buy_quantity) == row[BUY_TOTAL]
        and float(tick.total_sell_quantity) == row[SELL_TOTAL]
    )


@borrowing_kernel
def _note_change(memory: Memory, row: Row, tick: Any, change: int) -> int:
    """Count what the day's volume did; return the flags that it gives the bar."""
    flag = 0
    if change == FIRST_SNAPSHOT:
        flag |= _SNAPSHOT
        memory.counters[_C_SNAPSHOT_VOLUME] += tick.volume
        if tick.volume > 0:
            row[TRADED] = tick.volume
            # the exchange's own average stands for what was traded before we came; without one VWAP stays unknown
            row[VALUE_SUM] += tick.average_price * tick.volume if tick.average_price != 0.0 else np.nan
            row[VOLUME_SUM] += tick.volume
    elif change == REORDERED:
        memory.counters[_C_REORDERED] += 1
    elif change == FELL:
        memory.counters[_C_FELL] += 1
        flag |= _VOLUME_FELL
    if row[AFTER_GAP] == 1.0:
        row[AFTER_GAP] = 0.0
        flag |= _FIRST_AFTER_GAP
    return flag


@inlined_kernel
def _into_bar(
    memory: Memory,
    out: Outputs,
    index: int,
    kind: int,
    price: float,
    time: int,
    volume: float,
    traded: float,
    flag: int,
) -> None:
    row = memory.state[index]
    minute = time // 60
    slot = row[minute_slot(minute)]
    # a five-minute bar opens with any of its minutes and is open until its last one
    memory.scalars[LAST_OPEN] = max(memory.scalars[LAST_OPEN], minute - minute % LONG_MINUTES + LONG_MINUTES - 1)
    if minute < memory.scalars[NEXT_MINUTE]:
        if kind == 0:
            row[VALUE_SUM] += price * traded
            row[VOLUME_SUM] += traded
        _after_close(memory, out, index, slot, minute, kind, price, time, volume, flag)
        return
    if slot[STATUS] == EMPTY or slot[MINUTE] != minute:
        open_bar(slot, minute, kind, price, float(time), volume)
    else:
        extend_bar(slot, price, float(time), volume)
    slot[BAR_VALUE] += price * traded
    slot[BAR_TRADED] += traded
    add_flag(slot, flag)
    row[RUNNING_FLAGS] = slot[FLAGS]


@borrowing_kernel
def _after_close(
    memory: Memory,
    out: Outputs,
    index: int,
    slot: Row,
    minute: int,
    kind: int,
    price: float,
    time: int,
    volume: float,
    flag: int,
) -> None:
    """Revise the bar of a closed minute, or count a packet that came too late even for that."""
    row = memory.state[index]
    too_late = memory.scalars[WATERMARK] - (minute + 1) * 60 > REVISION_SECONDS
    too_late = too_late or (slot[STATUS] != EMPTY and slot[MINUTE] > minute)
    # what the exchange's candle says stands: it holds this packet too
    if kind == OUTSIDE or too_late or is_reconciled(slot, minute):
        grown = place_volume(row, volume)
        counter = _C_OUTSIDE_VOLUME if kind == OUTSIDE else _C_LATE_VOLUME
        if kind != OUTSIDE:
            memory.counters[_C_LATE] += 1
        if grown > 0.0:
            memory.counters[counter] += int(grown)
        return
    if slot[STATUS] == EMPTY or slot[MINUTE] != minute:
        open_bar(slot, minute, kind, price, float(time), volume)
        close_unseen(memory, index, slot)
    else:
        extend_bar(slot, price, float(time), volume)
    add_flag(slot, flag)
    memory.counters[_C_REVISIONS] += 1
    both = revise_minute(memory, index, slot)
    emit_bar(memory, out, index, slot, ONE_MINUTE)
    if both:
        emit_bar(memory, out, index, row[long_slot(minute)], FIVE_MINUTES)


@inlined_kernel
def _phase(memory: Memory, row: Row, time: int) -> int:
    hours = memory.phases[int(row[PHASES])]
    for k in range(len(hours)):
        if hours[k, 1] <= time < hours[k, 2]:
            return int(hours[k, 0])
    return OUTSIDE
