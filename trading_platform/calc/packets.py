"""What one packet does to its instrument: which time it has, what was traded, which bar it belongs to."""

from typing import Any

import numpy as np

from trading_platform.calc.bars import add_flag, extend_bar, long_slot, minute_slot, open_bar, revise_minute
from trading_platform.calc.closed_bar import emit_bar
from trading_platform.calc.kernel import Row, kernel
from trading_platform.calc.pass_layout import (
    AFTER_GAP,
    BASE_VOLUME,
    BUY_TOTAL,
    CLOSED,
    CLOSED_VOLUME,
    DAY_VOLUME,
    EMPTY,
    EXCHANGE_TIME,
    FLAGS,
    HAS_VOLUME,
    LATEST_EXCHANGE,
    LONG_MINUTES,
    MIDNIGHT,
    MINUTE,
    NEXT_MINUTE,
    PHASES,
    PRICE,
    RUNNING_FLAGS,
    SEEN,
    SELL_TOTAL,
    STATUS,
    VALUE_SUM,
    VOLUME,
    VOLUME_SUM,
    WATERMARK,
    BarFlag,
    Counter,
    Memory,
    Outputs,
)
from trading_platform.calc.pulses import keep_latest, mark_dirty
from trading_platform.calc.traded_volume import FELL, FIRST_SNAPSHOT, REORDERED, traded_volume_step

REVISION_SECONDS = 30
"""A packet that comes at most this long after the close of its bar revises it."""
AHEAD_SECONDS = 60
"""An exchange time further ahead of receive time than this is not believed."""
_SNAPSHOT = int(BarFlag.SNAPSHOT)
_GAP = int(BarFlag.GAP)
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


@kernel
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
    if flag == 0:
        memory.scalars[LATEST_EXCHANGE] = max(memory.scalars[LATEST_EXCHANGE], time)
    _fold(memory, out, index, tick, time, flag)


@kernel
def row_of(memory: Memory, token: int) -> int:
    """Return the row of a token, -1 when it was not subscribed."""
    size = len(memory.token_keys)
    at = (token * 2654435761 & 0xFFFFFFFF) >> 7 & (size - 1)
    while memory.token_keys[at] != 0:
        if memory.token_keys[at] == token:
            return int(memory.token_rows[at])
        at = (at + 1) & (size - 1)
    return -1


@kernel
def _time_of(memory: Memory, exchange_time: int, second: int) -> tuple[int, int]:
    if exchange_time < 0:
        return second, _RECEIVE_TIME
    if exchange_time > second + AHEAD_SECONDS:
        memory.counters[_C_AHEAD] += 1
        return second, _RECEIVE_TIME
    return exchange_time, 0


@kernel
def _fold(memory: Memory, out: Outputs, index: int, tick: Any, time: int, flag: int) -> None:
    row = memory.state[index]
    counters = memory.counters
    volume = float(tick.volume) if tick.volume >= 0 and tick.is_index == 0 else np.nan
    buy, sell = float(tick.total_buy_quantity), float(tick.total_sell_quantity)
    if (
        row[SEEN] > 0.0
        and flag == 0
        and time == row[EXCHANGE_TIME]
        and tick.last_price == row[PRICE]
        and (volume == row[DAY_VOLUME] or volume != volume)
        and buy == row[BUY_TOTAL]
        and sell == row[SELL_TOTAL]
    ):
        counters[_C_DUPLICATES] += 1
        return
    traded = 0.0
    if volume == volume:
        row[HAS_VOLUME] = 1.0
        traded, change = traded_volume_step(row, volume, float(time))
        if change == FIRST_SNAPSHOT:
            flag |= _SNAPSHOT
        elif change == REORDERED:
            counters[_C_REORDERED] += 1
        elif change == FELL:
            counters[_C_FELL] += 1
            flag |= _VOLUME_FELL
        if row[AFTER_GAP] == 1.0:
            row[AFTER_GAP] = 0.0
            flag |= _GAP
    row[SEEN] += 1.0
    row[BUY_TOTAL], row[SELL_TOTAL] = buy, sell
    if time >= row[EXCHANGE_TIME]:
        row[EXCHANGE_TIME] = time
        row[PRICE] = tick.last_price
    mark_dirty(memory, index)
    kind = _phase(memory, row, time)
    if kind < 0:
        counters[_C_OUTSIDE] += 1
        return
    if kind == 0 and traded > 0.0:
        row[VALUE_SUM] += tick.last_price * traded
        row[VOLUME_SUM] += traded
    _into_bar(memory, out, index, kind, tick.last_price, time, volume, flag)


@kernel
def _into_bar(
    memory: Memory, out: Outputs, index: int, kind: int, price: float, time: int, volume: float, flag: int
) -> None:
    row = memory.state[index]
    minute = time // 60
    slot = minute_slot(row, minute)
    late = memory.scalars[WATERMARK] - (minute + 1) * 60
    if late >= 0 and minute < memory.scalars[NEXT_MINUTE]:
        if late > REVISION_SECONDS or (slot[STATUS] != EMPTY and slot[MINUTE] > minute):
            memory.counters[_C_LATE] += 1
            # what was traded in a bar that is past revision must not appear in the next one
            if volume == volume:
                row[CLOSED_VOLUME] = max(row[CLOSED_VOLUME], volume)
            return
        _revise(memory, out, index, slot, minute, kind, price, time, volume, flag)
        return
    if slot[STATUS] == EMPTY or slot[MINUTE] != minute:
        open_bar(slot, minute, kind, price, float(time), volume)
    else:
        extend_bar(slot, price, float(time), volume)
    add_flag(slot, flag)
    row[RUNNING_FLAGS] = slot[FLAGS]


@kernel
def _revise(
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
    row = memory.state[index]
    old_volume = np.nan
    if slot[STATUS] == EMPTY or slot[MINUTE] != minute:
        open_bar(slot, minute, kind, price, float(time), volume)
        close_unseen(row, slot)
    else:
        old_volume = slot[VOLUME]
        extend_bar(slot, price, float(time), volume)
    add_flag(slot, flag)
    memory.counters[_C_REVISIONS] += 1
    both = revise_minute(row, slot, old_volume, memory.scalars[NEXT_MINUTE])
    emit_bar(memory, out, index, slot, 1)
    if both:
        emit_bar(memory, out, index, long_slot(row, minute), LONG_MINUTES)


@kernel
def close_unseen(row: Row, slot: Row) -> None:
    """Close a bar that no packet had made before its minute closed; its volume counts from the bar before."""
    slot[STATUS] = CLOSED
    slot[BASE_VOLUME] = row[CLOSED_VOLUME]


@kernel
def _phase(memory: Memory, row: Row, time: int) -> int:
    hours = memory.phases[int(row[PHASES])]
    for k in range(len(hours)):
        if hours[k, 1] <= time < hours[k, 2]:
            return int(hours[k, 0])
    return -1
