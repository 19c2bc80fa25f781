"""Candles of the exchange take the place of what a gap left of bars.

Only bars that a gap touched are changed, and minutes of a gap that have no bar get one. The day's volume keeps its sum:
what candles add is taken out of the bar that holds the first volume after the gap, or out of the volume that is still
to come; what finds no such place is counted.
"""

import math

import numpy as np

from trading_platform.calc.bars import MAX_REVISION
from trading_platform.calc.candle_judge import LONG_SECONDS, Usable, judge
from trading_platform.calc.gap_bars import GapBars
from trading_platform.calc.gap_slots import awaits_volume, keep_in_slot, take_from_long
from trading_platform.calc.pass_layout import (
    CLOSED_VOLUME,
    LONG_MINUTES,
    LOST,
    MIDNIGHT,
    TOUCHED,
    TRADED,
    BarFlag,
    Counter,
    Memory,
)
from trading_platform.wire.candle_block import Candle, CandleBlock, Window
from trading_platform.wire.kite_layout import Segment
from trading_platform.wire.records import BAR, Rows

_GAP, _AFTER_GAP, _RECONCILED = int(BarFlag.GAP), int(BarFlag.AFTER_GAP), int(BarFlag.RECONCILED)
_NO_VOLUME, _GAP_AGAIN = int(BarFlag.NO_VOLUME), int(BarFlag.GAP_AGAIN)


def reconcile(memory: Memory, held: GapBars, block: CandleBlock) -> Rows:
    """Apply candles to the bars that gaps touched; return the bars that this revises."""
    rows = {int(token): row for row, token in enumerate(memory.tokens)}
    written: list[np.void] = []
    for token, usable in judge(memory, rows, block).items():
        work = _Instrument(memory, rows[token], held.of(token))
        for window in usable.windows:
            work.take(window, usable)
        work.settle()
        written += work.written
    return np.array(written, BAR.dtype)


class _Instrument:
    """The bars of one instrument that gaps touched, while candles are applied to them from earlier to later."""

    def __init__(self, memory: Memory, index: int, bars: dict[tuple[int, int], np.void]) -> None:
        self.written: list[np.void] = []
        self._memory, self._index, self._bars = memory, index, bars
        self._token = int(memory.tokens[index])
        self._is_index = self._token & 0xFF == Segment.INDICES
        # bars that hold the first volume after a gap, from the next one on
        self._after_gap = sorted(
            start
            for (interval, start), bar in bars.items()
            if interval == 1 and int(bar["flags"]) & (_AFTER_GAP | _GAP_AGAIN)
        )
        self._added = 0.0  # volume that candles gave and that no other bar has given up for it yet

    def take(self, window: Window, usable: Usable) -> None:
        """Apply what a window says of its minutes, then of its five-minute intervals."""
        minutes = range(window.begin, window.end, 60)
        # without a single candle the source says nothing, which is not the same as no trade
        is_told = any(start in usable.candles for start in minutes)
        for start in minutes:
            self._give_before(start)
            if start in usable.candles:
                self._take_minute(start, [usable.candles[start]])
            elif is_told and start not in usable.spoilt:
                self._take_minute(start, [])
        for start in range(window.begin, window.end, LONG_SECONDS):
            inside = range(start, start + LONG_SECONDS, 60)
            if is_told and not usable.spoilt.intersection(inside):
                self._take_long(start, [usable.candles[each] for each in inside if each in usable.candles])

    def settle(self) -> None:
        """Find a place for the volume that is still open."""
        if self._after_gap:
            self._give(self._after_gap[0])
        elif awaits_volume(self._memory.state[self._index]):
            self._memory.state[self._index, CLOSED_VOLUME] += self._added
            self._added = 0.0
        self._count_rest()

    def _take_minute(self, start: int, candles: list[Candle]) -> None:
        before = self._volume_of(1, start)
        if self._revise(1, start, candles):
            grown = self._volume_of(1, start) - before
            self._added += grown
            self._count_traded(grown)
        if self._after_gap and self._after_gap[0] == start:
            self._after_gap.pop(0)
            # the gap is whole: what is left is what candles and packets differ by, unless the next one began here
            if self._added < 0.0 or int(self._bars[1, start]["flags"]) & _AFTER_GAP:
                self._count_rest()

    def _take_long(self, start: int, candles: list[Candle]) -> None:
        self._revise(LONG_MINUTES, start, candles)

    def _revise(self, interval: int, start: int, candles: list[Candle]) -> bool:
        """Write a bar as its candles have it; without candles nothing was traded in it."""
        bar = self._bars.get((interval, start))
        if bar is None:
            bar = self._missing(interval, start) if candles else None
        elif int(bar["flags"]) & _RECONCILED:
            self._memory.counters[Counter.CANDLE_REPEATED] += interval == 1 and len(candles)
            bar = None
        elif not candles and not bar["volume"] > 0.0:
            bar = None
        if bar is None:
            return False
        if candles:
            bar["open"], bar["close"] = candles[0].open, candles[-1].close
            bar["high"], bar["low"] = max(one.high for one in candles), min(one.low for one in candles)
        bar["volume"] = math.nan if self._is_index else sum(one.volume for one in candles)
        bar["flags"] = int(bar["flags"]) & ~_NO_VOLUME | _RECONCILED | (_NO_VOLUME if self._is_index else 0)
        self._memory.counters[Counter.RECONCILED_BARS] += 1
        self._write(bar)
        return True

    def _missing(self, interval: int, start: int) -> np.void | None:
        """Return an empty bar of minutes that a gap touched and that no packet made a bar of."""
        first = (start - int(self._memory.scalars[MIDNIGHT])) // 60
        marks = self._memory.touched[self._index, first : first + interval]
        if TOUCHED not in marks or LOST in marks:
            return None
        bar: np.void = np.zeros(1, BAR.dtype)[0]
        bar["token"], bar["interval"], bar["start"], bar["flags"] = self._token, interval, start, _GAP
        bar["volume"] = math.nan
        return bar

    def _volume_of(self, interval: int, start: int) -> float:
        bar = self._bars.get((interval, start))
        return 0.0 if bar is None or math.isnan(bar["volume"]) else float(bar["volume"])

    def _give_before(self, start: int) -> None:
        while self._after_gap and self._after_gap[0] < start:
            self._give(self._after_gap.pop(0))

    def _give(self, start: int) -> None:
        """Take what candles gave out of the bar that holds the first volume after the gap."""
        bar = self._bars[1, start]
        if self._added != 0.0 and not int(bar["flags"]) & _RECONCILED:
            moved = min(self._added, float(bar["volume"]))
            bar["volume"] -= moved
            self._write(bar)
            self._count_traded(-moved)
            self._give_long(start - start % LONG_SECONDS, moved)
            self._added -= moved
        self._count_rest()

    def _give_long(self, start: int, moved: float) -> None:
        bar = self._bars.get((LONG_MINUTES, start))
        if bar is None:
            take_from_long(self._memory.state[self._index], start // 60, moved)
        elif not int(bar["flags"]) & _RECONCILED:
            bar["volume"] -= moved
            self._write(bar)

    def _count_traded(self, grown: float) -> None:
        """Keep what continuous trading gave so far the sum of its bars."""
        traded = self._memory.state[self._index, TRADED]
        if grown != 0.0:
            self._memory.state[self._index, TRADED] = grown if math.isnan(traded) else traded + grown

    def _count_rest(self) -> None:
        self._memory.counters[Counter.RECONCILED_VOLUME] += int(self._added)
        self._added = 0.0

    def _write(self, bar: np.void) -> None:
        bar["revision"] = min(int(bar["revision"]) + 1, int(MAX_REVISION))
        self._bars[int(bar["interval"]), int(bar["start"])] = bar
        keep_in_slot(self._memory.state[self._index], bar)
        self.written.append(bar.copy())
