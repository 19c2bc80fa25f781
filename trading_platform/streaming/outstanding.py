"""Which candles are still to be fetched: those of gaps, without those of records that brought some. No I/O, no clock.

Candles are asked for in whole five-minute intervals of continuous trading, for intervals that follow each other once
the last of them has settled, oldest gap first; inside a gap in the order of subscription, which is that of priority.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from trading_platform.calc.pass_layout import LATENESS_SECONDS
from trading_platform.errors import BlockFormatError, MissingBlob
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.ports import RecordHistory
from trading_platform.wire.candle_block import CandleBlock, Window
from trading_platform.wire.journal_records import Control, ControlType, RecordKind, decode_control

INTERVAL_SECONDS = 300

SETTLED_SECONDS = 20
"""Kite's last candle is said to be wrong for about ten seconds."""

_READ_BYTES = 4 * 1024 * 1024

Hours = Callable[[int], Sequence[tuple[int, int]]]
"""Tells when an instrument is in continuous trading: begin and end, seconds since the epoch."""


@dataclass(slots=True)
class _Wanted:
    """What one instrument lacks: numbers of five-minute intervals since the epoch."""

    intervals: set[int] = field(default_factory=set)
    not_before_ns: int = 0  # of the machine's monotonic clock
    empty_answers: int = 0


class Outstanding:
    """Minutes of instruments that gaps touched and whose candles have not been recorded."""

    def __init__(self, hours: Hours, *, settled_seconds: int = SETTLED_SECONDS) -> None:
        self._hours, self._settled_seconds = hours, settled_seconds
        self._wanted: dict[int, _Wanted] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    @property
    def intervals(self) -> int:
        """Return how many five-minute intervals of instruments are wanted."""
        return sum(len(wanted.intervals) for wanted in list(self._wanted.values()))

    def add(self, tokens: Iterable[int], from_ns: int, until_ns: int) -> None:
        """Note a gap of these instruments."""
        begin, end = from_ns // NS_PER_SECOND - LATENESS_SECONDS, -(-until_ns // NS_PER_SECOND)
        for token in tokens:
            touched: set[int] = set()
            for opens, closes in self._hours(token):
                first, last = max(begin, opens), min(end, closes)
                if first < last:
                    touched.update(range(first // INTERVAL_SECONDS, (last - 1) // INTERVAL_SECONDS + 1))
            if touched:
                self._wanted.setdefault(token, _Wanted()).intervals |= touched

    def done(self, windows: Iterable[Window]) -> None:
        """Note windows whose candles are recorded, or will never be had."""
        for window in windows:
            wanted = self._wanted.get(window.token)
            if wanted is not None:
                wanted.intervals.difference_update(_intervals(window))
                if not wanted.intervals:
                    del self._wanted[window.token]

    def next(self, now_ns: int, elapsed_ns: int) -> list[Window]:
        """Return what to ask for now, windows of one instrument; `now_ns` is market time. Empty: nothing is ready."""
        for token, wanted in self._wanted.items():
            if wanted.not_before_ns <= elapsed_ns and (windows := self._ready(token, wanted, now_ns)):
                return windows
        return []

    def is_ready(self, now_ns: int) -> bool:
        """Tell whether something could be asked for now, or after a pause that was put upon it."""
        return any(self._ready(token, wanted, now_ns) for token, wanted in self._wanted.items())

    def put_off(self, token: int, until_ns: int) -> int:
        """Ask for an instrument again, behind the others and not before `until_ns` (monotonic).

        Return how often that was done.
        """
        wanted = self._wanted.pop(token)
        wanted.not_before_ns, wanted.empty_answers = until_ns, wanted.empty_answers + 1
        self._wanted[token] = wanted
        return wanted.empty_answers

    def recall(self, history: RecordHistory, until: int) -> list[str]:
        """Take over what a journal's records up to number `until` leave open; return what could not be read of it."""
        faults: list[str] = []
        after = 0
        while after < until and len(batch := history.read(after, _READ_BYTES)):
            for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL).tolist():
                self._note(decode_control(batch.body(row)), history, faults)
            after = batch.last_number
        return faults

    def _note(self, control: Control, history: RecordHistory, faults: list[str]) -> None:
        if control.type is ControlType.GAP:
            tokens, begin, end = (control.fields.get(name) for name in ("tokens", "from_ns", "until_ns"))
            if isinstance(tokens, list) and isinstance(begin, int) and isinstance(end, int):
                self.add(tokens, begin, end)
        elif control.type is ControlType.CANDLES and control.sha256 is not None:
            try:
                self.done(CandleBlock.decode(history.blob(control.sha256)).asked())
            except (BlockFormatError, MissingBlob) as error:
                faults.append(str(error))

    def _ready(self, token: int, wanted: _Wanted, now_ns: int) -> list[Window]:
        settled = (now_ns // NS_PER_SECOND - self._settled_seconds) // INTERVAL_SECONDS
        if min(wanted.intervals) >= settled:
            return []
        ordered = sorted(wanted.intervals)
        breaks = [k for k, (one, two) in enumerate(pairwise(ordered), 1) if two != one + 1]
        runs = [ordered[first:end] for first, end in pairwise([0, *breaks, len(ordered)])]
        return [
            Window(token, run[0] * INTERVAL_SECONDS, (run[-1] + 1) * INTERVAL_SECONDS)
            for run in runs
            if run[-1] < settled
        ]


def _intervals(window: Window) -> range:
    return range(window.begin // INTERVAL_SECONDS, -(-window.end // INTERVAL_SECONDS))
