"""Bars: how a packet extends one, how a minute closes, how a late packet revises it, how minutes make longer bars.

Inside a bar packets are ordered by (exchange time, day volume), so that shuffled arrival within the watermark gives
the same bar. Volume is what the day's cumulative volume grew by between the ends of two bars: each share of the day
stands in one bar, or in one of the counters of volume that stands in none.
"""

import numpy as np

from trading_platform.calc.kernel import Row, borrowing_kernel
from trading_platform.calc.pass_layout import (
    AUCTIONED,
    AWAY_SINCE,
    BAR_TRADED,
    BAR_VALUE,
    CLOSE,
    CLOSED,
    CLOSED_VOLUME,
    EMPTY,
    FIRST_MINUTE,
    FIRST_TIME,
    FIRST_VOLUME,
    FLAGS,
    HIGH,
    KIND,
    LAST_MINUTE,
    LAST_TIME,
    LAST_VOLUME,
    LONG_MINUTES,
    LOW,
    MIDNIGHT,
    MINUTE,
    NEXT_MINUTE,
    OPEN,
    REVISION,
    RUNNING,
    SLOT_FIELDS,
    STATUS,
    TICKS,
    TOP_VOLUME,
    TRADED,
    VALUE_SUM,
    VOLUME,
    VOLUME_SUM,
    BarFlag,
    Memory,
    long_at,
    minute_at,
)
from trading_platform.market.session_kinds import PhaseKind

GAP_FLAG, NO_VOLUME_FLAG, REVISED_FLAG = int(BarFlag.GAP), int(BarFlag.NO_VOLUME), int(BarFlag.REVISED)
_RECONCILED, _AFTER_GAP, _GAP_AGAIN = int(BarFlag.RECONCILED), int(BarFlag.AFTER_GAP), int(BarFlag.GAP_AGAIN)
_PRE_OPEN, _CLOSING_AUCTION = float(PhaseKind.PRE_OPEN), float(PhaseKind.CLOSING_AUCTION)
MAX_REVISION = 255.0


@borrowing_kernel
def minute_slot(minute: int) -> slice:
    """Return which fields of a row hold, held or will hold the bar of this minute (minutes since the epoch)."""
    at = minute_at(minute)
    return slice(at, at + SLOT_FIELDS)


@borrowing_kernel
def long_slot(minute: int) -> slice:
    """Return which fields of a row are those of the five-minute bar that covers this minute."""
    at = long_at(minute)
    return slice(at, at + SLOT_FIELDS)


@borrowing_kernel
def open_bar(slot: Row, minute: int, kind: int, price: float, time: float, volume: float) -> None:
    """Begin a bar with its first packet; `volume` is the day's so far, NaN when the packet carries none."""
    slot[MINUTE] = minute
    slot[KIND] = kind
    slot[OPEN] = slot[HIGH] = slot[LOW] = slot[CLOSE] = price
    slot[FIRST_TIME] = slot[LAST_TIME] = time
    slot[FIRST_VOLUME] = slot[LAST_VOLUME] = volume if volume == volume else -1.0
    slot[TOP_VOLUME] = volume
    slot[VOLUME] = np.nan
    slot[BAR_VALUE] = slot[BAR_TRADED] = 0.0
    slot[TICKS] = 1.0
    slot[FLAGS] = 0.0
    slot[REVISION] = 0.0
    slot[STATUS] = RUNNING


@borrowing_kernel
def extend_bar(slot: Row, price: float, time: float, volume: float) -> None:
    """Fold one more packet into a bar."""
    order = volume if volume == volume else -1.0
    slot[HIGH] = max(slot[HIGH], price)
    slot[LOW] = min(slot[LOW], price)
    if time < slot[FIRST_TIME] or (time == slot[FIRST_TIME] and order < slot[FIRST_VOLUME]):
        slot[OPEN] = price
        slot[FIRST_TIME] = time
        slot[FIRST_VOLUME] = order
    if time > slot[LAST_TIME] or (time == slot[LAST_TIME] and order >= slot[LAST_VOLUME]):
        slot[CLOSE] = price
        slot[LAST_TIME] = time
        slot[LAST_VOLUME] = order
    if volume == volume and not slot[TOP_VOLUME] >= volume:
        slot[TOP_VOLUME] = volume
    slot[TICKS] += 1.0


@borrowing_kernel
def add_flag(slot: Row, flag: int) -> None:
    """Set one BarFlag."""
    slot[FLAGS] = float(int(slot[FLAGS]) | flag)


@borrowing_kernel
def place_volume(row: Row, day_volume: float) -> float:
    """Take what the day's volume grew by beyond all that has its place already; NaN when it is not known."""
    if day_volume != day_volume:
        return np.nan
    grown = float(max(0.0, day_volume - row[CLOSED_VOLUME]))
    row[CLOSED_VOLUME] += grown
    return grown


@borrowing_kernel
def _settle_volume(row: Row, slot: Row) -> float:
    grown = place_volume(row, slot[TOP_VOLUME])
    slot[VOLUME] = sum_known(slot[VOLUME], grown)
    _flag_volume(slot)
    if slot[KIND] == 0.0:
        row[TRADED] = sum_known(row[TRADED], grown)
    elif (slot[KIND] == _PRE_OPEN or slot[KIND] == _CLOSING_AUCTION) and grown > 0.0:
        row[AUCTIONED] += grown
    return grown


@borrowing_kernel
def fell_into_gap(memory: Memory, index: int, minute: int, minutes: int) -> bool:
    """Tell whether a gap touches any of these minutes."""
    away = memory.state[index, AWAY_SINCE]
    if away > 0.0 and away < (minute + minutes) * 60:
        return True
    first = minute - memory.scalars[MIDNIGHT] // 60
    for k in range(max(first, 0), min(first + minutes, memory.touched.shape[1])):
        if memory.touched[index, k] != 0:
            return True
    return False


@borrowing_kernel
def is_reconciled(slot: Row, minute: int) -> bool:
    """Tell whether the bar of this minute stands in the slot as the exchange's candles have it."""
    return bool(slot[STATUS] != EMPTY and slot[MINUTE] == minute and int(slot[FLAGS]) & _RECONCILED != 0)


@borrowing_kernel
def close_minute(memory: Memory, index: int, slot: Row) -> None:
    """Close a running one-minute bar and fold it into its five-minute bar."""
    row = memory.state[index]
    _close_slot(memory, index, slot, 1)
    _settle_volume(row, slot)
    if slot[KIND] == 0.0:
        row[VALUE_SUM] += slot[BAR_VALUE]
        row[VOLUME_SUM] += slot[BAR_TRADED]
        _fold_into_long(row[long_slot(int(slot[MINUTE]))], slot)


@borrowing_kernel
def close_unseen(memory: Memory, index: int, slot: Row) -> None:
    """Close a bar that no packet had made before its minute closed."""
    _close_slot(memory, index, slot, 1)


@borrowing_kernel
def close_long(memory: Memory, index: int, slot: Row) -> None:
    """Close a running five-minute bar."""
    _close_slot(memory, index, slot, LONG_MINUTES)


@borrowing_kernel
def _close_slot(memory: Memory, index: int, slot: Row, minutes: int) -> None:
    slot[STATUS] = CLOSED
    if fell_into_gap(memory, index, int(slot[MINUTE]), minutes):
        add_flag(slot, GAP_FLAG)


@borrowing_kernel
def revise_minute(memory: Memory, index: int, slot: Row) -> bool:
    """Settle a closed bar again after a late packet; return whether its five-minute bar was closed and changed too."""
    row = memory.state[index]
    _count_revision(slot)
    grown = _settle_volume(row, slot)
    if slot[KIND] != 0.0:
        return False
    minute = int(slot[MINUTE])
    longer = row[long_slot(minute)]
    start = minute - minute % LONG_MINUTES
    if is_reconciled(longer, start):
        return False
    if longer[STATUS] == EMPTY or longer[MINUTE] != start:
        # no bar of those five minutes existed: the late packet makes it
        _fold_into_long(longer, slot)
        if start + LONG_MINUTES <= memory.scalars[NEXT_MINUTE]:
            close_long(memory, index, longer)
    else:
        _revise_long(longer, slot, grown)
    if longer[STATUS] == RUNNING:
        return False
    _count_revision(longer)
    return True


@borrowing_kernel
def _count_revision(slot: Row) -> None:
    slot[REVISION] = min(slot[REVISION] + 1.0, MAX_REVISION)
    add_flag(slot, REVISED_FLAG)


@borrowing_kernel
def _flag_volume(slot: Row) -> None:
    flags = int(slot[FLAGS]) | NO_VOLUME_FLAG
    slot[FLAGS] = float(flags if slot[VOLUME] != slot[VOLUME] else flags - NO_VOLUME_FLAG)


@borrowing_kernel
def _fold_into_long(longer: Row, slot: Row) -> None:
    minute = slot[MINUTE]
    start = minute - minute % LONG_MINUTES
    if longer[MINUTE] != start or longer[STATUS] == EMPTY:
        for field in range(SLOT_FIELDS):
            longer[field] = slot[field]
        longer[MINUTE] = start
        longer[FIRST_MINUTE] = minute
        longer[LAST_MINUTE] = minute
        longer[REVISION] = 0.0
        longer[STATUS] = RUNNING
        longer[FLAGS] = float(_long_flags(slot))
        return
    _merge_prices(longer, slot)
    longer[VOLUME] = sum_known(longer[VOLUME], slot[VOLUME])
    longer[TICKS] += slot[TICKS]
    _flag_volume(longer)


@borrowing_kernel
def _revise_long(longer: Row, slot: Row, grown: float) -> None:
    _merge_prices(longer, slot)
    longer[VOLUME] = sum_known(longer[VOLUME], grown)
    longer[TICKS] += 1.0
    _flag_volume(longer)


@borrowing_kernel
def _merge_prices(longer: Row, slot: Row) -> None:
    longer[HIGH] = max(longer[HIGH], slot[HIGH])
    longer[LOW] = min(longer[LOW], slot[LOW])
    if slot[MINUTE] <= longer[FIRST_MINUTE]:
        longer[FIRST_MINUTE] = slot[MINUTE]
        longer[OPEN] = slot[OPEN]
    if slot[MINUTE] >= longer[LAST_MINUTE]:
        longer[LAST_MINUTE] = slot[MINUTE]
        longer[CLOSE] = slot[CLOSE]
    longer[FLAGS] = float(int(longer[FLAGS]) | _long_flags(slot))


@borrowing_kernel
def _long_flags(slot: Row) -> int:
    """Return what a minute's flags say of its five minutes; the order of gaps within a minute is left out."""
    flags = int(slot[FLAGS])
    return flags - _GAP_AGAIN | _AFTER_GAP if flags & _GAP_AGAIN else flags


@borrowing_kernel
def sum_known(left: float, right: float) -> float:
    """Return the sum of what is known, NaN when neither is."""
    if left != left:
        return right
    return left + right if right == right else left
