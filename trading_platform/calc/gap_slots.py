"""The slots of an instrument's row as candles change them, so that a late packet meets what was written last."""

import math

import numpy as np

from trading_platform.calc.kernel import Row
from trading_platform.calc.pass_layout import (
    AFTER_GAP,
    CLOSE,
    CLOSED,
    EMPTY,
    FIRST_MINUTE,
    FIRST_VOLUME,
    FLAGS,
    FROM_ZERO,
    HAS_VOLUME,
    HIGH,
    LAST_MINUTE,
    LAST_VOLUME,
    LOW,
    MINUTE,
    OPEN,
    REVISION,
    RUNNING,
    SLOT_FIELDS,
    SLOTS,
    STATUS,
    TICKS,
    TOP_VOLUME,
    VOLUME,
    BarFlag,
    long_at,
    minute_at,
)

BAR_SLOTS = {
    "revision": REVISION,
    "open": OPEN,
    "high": HIGH,
    "low": LOW,
    "close": CLOSE,
    "volume": VOLUME,
    "ticks": TICKS,
    "flags": FLAGS,
}
"""Where a slot holds the columns of a bar's row."""

_FIRST_AFTER_GAP = int(BarFlag.AFTER_GAP)


def keep_in_slot(row: Row, bar: np.void) -> None:
    """Put a bar of continuous trading that is closed into its slot, unless a newer one stands there."""
    minute, interval = int(bar["start"]) // 60, int(bar["interval"])
    at = minute_at(minute) if interval == 1 else long_at(minute)
    slot = row[at : at + SLOT_FIELDS]
    if slot[STATUS] != EMPTY and slot[MINUTE] > minute:
        return
    if slot[STATUS] == EMPTY or slot[MINUTE] < minute:
        slot[:] = 0.0
        slot[MINUTE], slot[STATUS], slot[TOP_VOLUME] = minute, CLOSED, math.nan
        slot[FIRST_VOLUME] = slot[LAST_VOLUME] = -1.0
        slot[FIRST_MINUTE], slot[LAST_MINUTE] = minute, minute + interval - 1
    for name, column in BAR_SLOTS.items():
        slot[column] = bar[name]


def take_from_long(row: Row, minute: int, volume: float) -> None:
    """Take volume out of the five-minute bar that begins with this minute, if it is still open."""
    slot = row[long_at(minute) : long_at(minute) + SLOT_FIELDS]
    if slot[STATUS] == RUNNING and slot[MINUTE] == minute:
        slot[VOLUME] -= volume


def awaits_volume(row: Row) -> bool:
    """Tell whether the first volume after a gap has not come, or stands in a bar that is open."""
    if row[HAS_VOLUME] == 0.0 and row[FROM_ZERO] == 0.0:
        return False  # it will be a snapshot, which stands in no bar
    slots = (row[minute_at(minute) : minute_at(minute) + SLOT_FIELDS] for minute in range(SLOTS))
    is_open = any(slot[STATUS] == RUNNING and int(slot[FLAGS]) & _FIRST_AFTER_GAP for slot in slots)
    return bool(row[AFTER_GAP] == 1.0) or is_open
