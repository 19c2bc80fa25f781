"""Which minutes gaps fell into, and the bars of them that were closed before anybody knew.

A silent socket is found seconds after its last packet, while other sockets close bars. Such a bar is flagged all the
same, as a revision, as long as its slot holds it: four one-minute bars and two five-minute bars of each instrument.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.bars import GAP_FLAG, MAX_REVISION
from trading_platform.calc.gap_slots import BAR_SLOTS
from trading_platform.calc.pass_layout import (
    AFTER_GAP,
    AWAY_SINCE,
    CLOSED,
    EMPTY,
    FLAGS,
    KIND,
    LATENESS_SECONDS,
    LONG_MINUTES,
    LOST,
    MIDNIGHT,
    MINUTE,
    NEXT_MINUTE,
    OUTSIDE,
    PHASES,
    REVISION,
    SLOT_FIELDS,
    SLOTS,
    STATUS,
    TOUCHED,
    BarFlag,
    Counter,
    Memory,
    long_at,
    minute_at,
)
from trading_platform.errors import BlockFormatError
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.wire.records import BAR, Rows

Indices = NDArray[np.int64]

NS_PER_MINUTE = 60 * NS_PER_SECOND
_FIRST_AFTER_GAP, _GAP_AGAIN = int(BarFlag.AFTER_GAP), int(BarFlag.GAP_AGAIN)
_LEAD_NS = LATENESS_SECONDS * NS_PER_SECOND
"""Packets that the exchange stamped so long before the last one came may have been under way, and are lost too."""


def pack_marks(touched: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the marks of all minutes as two planes of bits."""
    packed = np.zeros((2, len(touched), -(-touched.shape[1] // 8)), np.uint8)
    rows = np.flatnonzero(touched.any(axis=1))  # few instruments ever see a gap, and the engine waits for this
    marked = touched[rows]
    packed[:, rows] = np.packbits(np.stack([marked & 1, marked >> 1]), axis=2)
    return packed


def unpack_marks(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read what `pack_marks` wrote; raise BlockFormatError for marks of other instruments or minutes."""
    if packed.shape != (2, shape[0], -(-shape[1] // 8)) or packed.dtype != np.uint8:
        raise BlockFormatError("touched of this state has another layout: another version wrote it")
    low, high = np.unpackbits(packed, axis=2, count=shape[1])
    marks: NDArray[np.uint8] = low | high << 1
    return marks


def begin_gap(memory: Memory, rows: Indices, since_ns: int) -> Rows:
    """Note that a socket is away that carries these rows; return bars closed since then, flagged."""
    state = memory.state
    since_ns -= _LEAD_NS
    since, away = since_ns / NS_PER_SECOND, state[rows, AWAY_SINCE]
    state[rows, AWAY_SINCE] = np.where(away > 0.0, np.minimum(away, since), since)
    first = since_ns // NS_PER_MINUTE
    reopened = _await_volume(memory, rows, first)
    memory.counters[Counter.GAPS] += 1
    return np.concatenate([reopened, _mark(memory, rows, first, int(memory.scalars[NEXT_MINUTE]) - 1)])


def end_gap(memory: Memory, rows: Indices, until_ns: int) -> Rows:
    """Note that these rows are subscribed again; return bars closed meanwhile that were not flagged yet."""
    away = memory.state[rows, AWAY_SINCE]
    memory.state[rows, AWAY_SINCE] = 0.0
    last = (until_ns - 1) // NS_PER_MINUTE
    begun = sorted(set(away[away > 0.0].tolist()))
    found = [_mark(memory, rows[away == since], int(since // 60), last) for since in begun]
    return np.concatenate([np.zeros(0, BAR.dtype), *found])


def name_gap(memory: Memory, rows: Indices, from_ns: int, until_ns: int) -> Rows:
    """Note a gap that is over; return the bars of it that were closed, flagged."""
    first = (from_ns - _LEAD_NS) // NS_PER_MINUTE
    reopened = _await_volume(memory, rows, first)
    memory.counters[Counter.GAPS] += 1
    return np.concatenate([reopened, _mark(memory, rows, first, (until_ns - 1) // NS_PER_MINUTE)])


def _await_volume(memory: Memory, rows: Indices, first: int) -> Rows:
    """Note that the next volume is the first one after this gap; return closed bars that it changes.

    A bar from minute `first` on that holds the first volume after an earlier gap holds that and no more: this gap began
    within it, and what is lost now stands in a bar that is still to come.
    """
    state = memory.state
    state[rows, AFTER_GAP] = 1.0
    found = [np.zeros(0, BAR.dtype)]
    for number in range(SLOTS):
        slot = minute_at(number)
        ended = (state[rows, slot + FLAGS].astype(np.int64) & _FIRST_AFTER_GAP > 0) & (
            state[rows, slot + MINUTE] >= first
        )
        chosen = rows[ended & (state[rows, slot + STATUS] != EMPTY)]
        flags = state[chosen, slot + FLAGS].astype(np.int64)
        state[chosen, slot + FLAGS] = flags & ~_FIRST_AFTER_GAP | _GAP_AGAIN
        closed = chosen[state[chosen, slot + STATUS] == CLOSED]
        state[closed, slot + REVISION] = np.minimum(state[closed, slot + REVISION] + 1.0, MAX_REVISION)
        found.append(_written(memory, closed[state[closed, slot + KIND] != OUTSIDE], slot, 1))
    written = np.concatenate(found)
    return written[np.argsort(written["start"], kind="stable")]


def _mark(memory: Memory, rows: Indices, first: int, last: int) -> Rows:
    """Remember that a gap fell into the minutes `first` to `last`; flag what is closed of them."""
    midnight = int(memory.scalars[MIDNIGHT]) // 60
    first, last = max(first, midnight), min(last, midnight + memory.touched.shape[1] - 1)
    closed = min(last, int(memory.scalars[NEXT_MINUTE]) - 1)
    longer = [start for start in _starts(first, closed) if start + LONG_MINUTES <= memory.scalars[NEXT_MINUTE]]
    fresh = [rows[_is_fresh(memory, rows, max(start, first), min(start + LONG_MINUTES - 1, last))] for start in longer]
    found = [_mark_closed(memory, rows, minute) for minute in range(first, closed + 1)]
    coming = slice(max(first, closed + 1) - midnight, max(last + 1 - midnight, 0))
    memory.touched[rows, coming] = np.maximum(memory.touched[rows, coming], TOUCHED)
    found += [_mark_long(memory, chosen, start) for chosen, start in zip(fresh, longer, strict=True)]
    return np.concatenate([np.zeros(0, BAR.dtype), *found])


def _starts(first: int, last: int) -> range:
    """Return the starts of the five-minute bars that hold the minutes `first` to `last`."""
    return range(first - first % LONG_MINUTES, last + 1, LONG_MINUTES)


def _is_fresh(memory: Memory, rows: Indices, first: int, last: int) -> NDArray[np.bool_]:
    """Tell for which rows no gap was known yet in some of these minutes."""
    midnight = int(memory.scalars[MIDNIGHT]) // 60
    found: NDArray[np.bool_] = (memory.touched[rows, first - midnight : last + 1 - midnight] == 0).any(axis=1)
    return found


def _mark_closed(memory: Memory, rows: Indices, minute: int) -> Rows:
    at = minute - int(memory.scalars[MIDNIGHT]) // 60
    fresh = rows[memory.touched[rows, at] == 0]
    slot = minute_at(minute)
    newer = _holds_newer(memory, fresh, slot, minute) & _is_traded(memory, fresh, minute)
    memory.touched[fresh, at] = np.where(newer, LOST, TOUCHED)
    memory.counters[Counter.UNFLAGGED_MINUTES] += int(newer.sum())
    return _flag(memory, fresh, slot, minute, 1)


def _mark_long(memory: Memory, rows: Indices, start: int) -> Rows:
    slot = long_at(start)
    # where the five-minute bar is not kept any more, its minutes cannot be made into one again
    lost = rows[_holds_newer(memory, rows, slot, start)]
    first = max(start - int(memory.scalars[MIDNIGHT]) // 60, 0)
    minutes = memory.touched[lost, first : first + LONG_MINUTES]
    memory.touched[lost, first : first + LONG_MINUTES] = np.where(minutes == TOUCHED, LOST, minutes)
    return _flag(memory, rows, slot, start, LONG_MINUTES)


def _holds_newer(memory: Memory, rows: Indices, slot: int, minute: int) -> NDArray[np.bool_]:
    state = memory.state
    found: NDArray[np.bool_] = (state[rows, slot + STATUS] != EMPTY) & (state[rows, slot + MINUTE] > minute)
    return found


def _is_traded(memory: Memory, rows: Indices, minute: int) -> NDArray[np.bool_]:
    """Tell whether a minute lies in any phase of an instrument's session."""
    hours = memory.phases[np.maximum(memory.state[rows, PHASES], 0.0).astype(np.int64)]
    inside = (hours[:, :, 1] <= minute * 60) & (minute * 60 < hours[:, :, 2])
    found: NDArray[np.bool_] = inside.any(axis=1) & (memory.state[rows, PHASES] >= 0.0)
    return found


def _flag(memory: Memory, rows: Indices, slot: int, minute: int, interval: int) -> Rows:
    """Flag the bars that closed in this slot for this minute; return those that were not flagged, revised."""
    state = memory.state
    here = (state[rows, slot + STATUS] == CLOSED) & (state[rows, slot + MINUTE] == minute)
    chosen = rows[here & (state[rows, slot + FLAGS].astype(np.int64) & GAP_FLAG == 0)]
    state[chosen, slot + FLAGS] += GAP_FLAG
    state[chosen, slot + REVISION] = np.minimum(state[chosen, slot + REVISION] + 1.0, MAX_REVISION)
    return _written(memory, chosen[state[chosen, slot + KIND] != OUTSIDE], slot, interval)


def _written(memory: Memory, rows: Indices, slot: int, interval: int) -> Rows:
    """Write the bars that stand in one slot of these rows."""
    out: Rows = np.zeros(len(rows), BAR.dtype)
    held = memory.state[rows, slot : slot + SLOT_FIELDS]
    out["token"], out["interval"] = memory.tokens[rows], interval
    out["start"] = held[:, MINUTE].astype(np.int64) * 60
    out["kind"] = held[:, KIND]
    for name, column in BAR_SLOTS.items():
        out[name] = held[:, column]
    return out
