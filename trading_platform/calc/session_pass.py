"""One session through the pass: control records set it up, frames drive it, rows come out.

The engine feeds it live records, replay feeds it the journal's. Nothing else reaches it, so both give the same rows,
whatever the batches: a batch is only how records were fetched.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.pass_entries import Entry, by_pulse, by_record, by_row
from trading_platform.calc.pass_layout import (
    BARS,
    FEATURES,
    INDICATORS,
    IS_LATEST_DIRTY,
    LAST_CLOSED,
    LAST_RECEIVED,
    LATEST_DIRTY,
    PULSES,
    RECORD,
    SIGNALS,
    Counter,
    Memory,
    Outputs,
    empty_outputs,
)
from trading_platform.calc.pipeline import run
from trading_platform.calc.session_contents import Contents
from trading_platform.calc.session_setup import SessionSetup
from trading_platform.errors import BlockFormatError, EngineError
from trading_platform.market.instruments import InstrumentDay
from trading_platform.wire.blocks import decode_block, encode_block
from trading_platform.wire.journal_records import Control, ControlType, RecordBatch, RecordKind, decode_control
from trading_platform.wire.kite_layout import damage_capacity, tick_capacity
from trading_platform.wire.records import BAR, INDICATOR, LATEST, SIGNAL, Rows, Schema

STATE_KIND, STATE_VERSION = "engine_state", 5
_FIRST_FRAME_BYTES = 64 * 1024
_FAMILIES = ("bars", "indicators", "signals", "features")
_KEPT = (BAR, INDICATOR, SIGNAL)
_RAW_LATEST = np.dtype(f"V{LATEST.dtype.itemsize}")
_NOTHING = {schema.name: np.zeros(0, schema.dtype) for schema in _KEPT}


@dataclass(frozen=True, slots=True)
class Produced:
    """What a batch gave: rows, and the same rows packed as entries."""

    bars: Rows
    indicators: Rows
    signals: Rows
    entries: dict[str, list[Entry]]


class SessionPass:
    """Fold records of one session in order; keep digests of everything that came out.

    A `tolerant` pass goes on where records are missing: it counts them and flags the bars they may have belonged to.
    """

    def __init__(self, session: date, blob: Callable[[str], bytes], *, tolerant: bool = False) -> None:
        self.position = 0
        self.closed = False
        self._opened = False
        self.entries = dict.fromkeys(_FAMILIES, 0)
        self.rows = dict.fromkeys(_FAMILIES, 0)
        self.digests = dict.fromkeys(_FAMILIES, hashlib.sha256(session.isoformat().encode()).digest())
        self._setup = SessionSetup(session, blob)
        self._tolerant = tolerant
        self._frame_bytes = _FIRST_FRAME_BYTES
        self._out = self._fresh_outputs()

    @property
    def session(self) -> date:
        """Return the session."""
        return self._setup.session

    @property
    def memory(self) -> Memory:
        """Return the arrays that the pass remembers."""
        return self._setup.memory

    @property
    def instruments(self) -> InstrumentDay | None:
        """Return the day's instruments, None before the journal names them."""
        return self._setup.day

    @property
    def unplaced(self) -> dict[int, str]:
        """Return the subscribed tokens that get no bars, and why."""
        return self._setup.unplaced

    @property
    def last_closed(self) -> int:
        """Return the end of the last five-minute interval that closed any bar (seconds), 0 before the first."""
        return int(self.memory.scalars[LAST_CLOSED])

    @property
    def last_received_ns(self) -> int:
        """Return the receive time of the last record (nanoseconds)."""
        return int(self.memory.scalars[LAST_RECEIVED])

    @property
    def counters(self) -> dict[str, int]:
        """Return what was counted, by name."""
        return {counter.name.lower(): int(self.memory.counters[counter]) for counter in Counter}

    def digest(self) -> str:
        """Return one hash of everything that came out so far."""
        return hashlib.sha256(b"".join(self.digests[family] for family in _FAMILIES)).hexdigest()

    def feed(self, batch: RecordBatch) -> Produced:
        """Fold records that follow the position without a gap; return what they gave."""
        missing = self._missing_before(batch)
        self._make_room(batch)
        parts: list[tuple[Rows, ...]] = []
        first = 0
        for row in np.flatnonzero((batch.table["kind"] == RecordKind.CONTROL) | (missing > 0)).tolist():
            if first < row:
                self._refuse_closed(first, batch)
                parts += self._run(batch, first, row)
            self._refuse_closed(row, batch)
            received_ns = int(batch.table["received_ns"][row])
            if missing[row]:
                self._setup.note_missing(int(missing[row]), received_ns)
            if batch.table["kind"][row] == RecordKind.CONTROL:
                parts += self._control(batch, row)
            else:
                parts += self._run(batch, row, row + 1)
            first = row + 1
        if first < len(batch):
            self._refuse_closed(first, batch)
            parts += self._run(batch, first, len(batch))
        if len(batch):
            self.position = batch.last_number
        return self._collect(parts)

    def drain_latest(self) -> Rows:
        """Return the `latest` rows that changed since the last call."""
        count = int(self.memory.scalars[LATEST_DIRTY])
        rows = self.memory.latest_dirty[:count].copy()
        self.memory.state[rows, IS_LATEST_DIRTY] = 0.0
        self.memory.scalars[LATEST_DIRTY] = 0
        return self.memory.latest.view(_RAW_LATEST)[rows].view(LATEST.dtype)  # rows as they are: ten times as fast

    def save(self) -> bytes:
        """Return everything that is remembered, as one block."""
        meta = {
            "session": self.session.isoformat(),
            "position": self.position,
            "closed": self.closed,
            "entries": self.entries,
            "rows": self.rows,
            "digests": {family: digest.hex() for family, digest in self.digests.items()},
            "contents": self._setup.contents.as_meta(),
            "unplaced": {str(token): reason for token, reason in self.unplaced.items()},
        }
        return encode_block(STATE_KIND, STATE_VERSION, meta, self._setup.stored())

    @staticmethod
    def is_closed(content: bytes) -> bool:
        """Return whether saved content says that its session is closed, without taking it over."""
        return bool(decode_block(content, STATE_KIND, STATE_VERSION).meta["closed"])

    @classmethod
    def restore(cls, content: bytes, blob: Callable[[str], bytes]) -> "SessionPass":
        """Return the pass that `save` wrote down; raise BlockFormatError when it does not fit this version."""
        block = decode_block(content, STATE_KIND, STATE_VERSION)
        meta = block.meta
        try:
            restored = cls(date.fromisoformat(meta["session"]), blob)
            contents = Contents.from_meta(meta["contents"])
            restored._setup.unplaced = {int(token): why for token, why in meta["unplaced"].items()}
            restored.position = int(meta["position"])
            restored._opened = restored.position > 0
            restored.closed = bool(meta["closed"])
            restored.entries = {family: int(meta["entries"][family]) for family in _FAMILIES}
            restored.rows = {family: int(meta["rows"][family]) for family in _FAMILIES}
            restored.digests = {family: bytes.fromhex(meta["digests"][family]) for family in _FAMILIES}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BlockFormatError(f"the header of this state is not one that we write: {error!r}") from error
        restored._setup.take_over(block.arrays, contents)
        restored._out = restored._fresh_outputs()
        return restored

    def _missing_before(self, batch: RecordBatch) -> NDArray[np.int64]:
        """Return how many records are missing before each; raise EngineError unless that is none, or tolerated."""
        numbers = batch.table["number"].astype(np.int64)
        missing = np.empty_like(numbers)
        missing[:1] = numbers[:1] - self.position - 1
        missing[1:] = numbers[1:] - numbers[:-1] - 1
        wrong = np.flatnonzero(missing < 0 if self._tolerant else missing != 0)
        if len(wrong):
            row = int(wrong[0])
            before = int(numbers[row - 1]) if row else self.position
            raise EngineError(f"record {numbers[row]} follows {before}: records are missing or out of order")
        if len(batch) and not self._opened and batch.table["kind"][0] != RecordKind.CONTROL:
            raise EngineError(f"record {batch.first_number} is no control record: a journal begins with session_opened")
        return missing

    def _refuse_closed(self, row: int, batch: RecordBatch) -> None:
        if self.closed:
            number = batch.table["number"][row]
            raise EngineError(f"record {number} follows session_closed: the session {self.session} is over")

    def _control(self, batch: RecordBatch, row: int) -> Iterator[tuple[Rows, ...]]:
        """Let a control record take effect before it moves the watermark, so that a gap flags the bars it fell into.

        Candles are of minutes that are over: they come after it, for their bars must be closed.
        """
        control = decode_control(batch.body(row))
        is_late = control.type is ControlType.CANDLES and self._opened
        if is_late:
            yield from self._run(batch, row, row + 1)
        yield self._apply(control, batch.table[row])
        if not is_late:
            yield from self._run(batch, row, row + 1)

    def _apply(self, control: Control, entry: np.void) -> tuple[Rows, ...]:
        """Apply a control record; return the bars that it revises, as a part of what the record gives."""
        opens = not self._opened
        if (control.type is ControlType.SESSION_OPENED) != opens:
            raise EngineError(f"a {control.type} record: a journal begins with session_opened, and holds it only once")
        if opens and control.fields.get("session") != self.session.isoformat():
            raise EngineError(f"this is the journal of {control.fields.get('session')}, not of {self.session}")
        self._opened = True
        rows_before = len(self.memory.tokens)
        self.memory.scalars[RECORD] = entry["number"]
        revised = self._setup.apply(control, int(entry["received_ns"]), int(entry["socket"]))
        if len(self.memory.tokens) != rows_before:
            self._out = self._fresh_outputs()
        self.closed = control.type is ControlType.SESSION_CLOSED
        return (revised, *self._drain()[1:])

    def _run(self, batch: RecordBatch, first: int, end: int) -> Iterator[tuple[Rows, ...]]:
        while first < end:
            reached = run(self.memory, self._out, batch.buffer, batch.table, first, end)
            if reached == first:
                raise EngineError(f"record {batch.table['number'][first]} does not fit into fresh buffers")
            first = reached
            if self._out.counts.any():
                drained = self._drain()
                self._setup.gap_bars.keep(drained[BARS])
                yield drained

    def _drain(self) -> tuple[Rows, ...]:
        out, counts = self._out, self._out.counts
        drained = (
            out.bars[: counts[BARS]].copy(),
            out.indicators[: counts[INDICATORS]].copy(),
            out.signals[: counts[SIGNALS]].copy(),
            out.features[: counts[FEATURES]].copy(),
            out.pulses[: counts[PULSES]].copy(),
        )
        counts[:] = 0
        return drained

    def _collect(self, parts: list[tuple[Rows, ...]]) -> Produced:
        bars, indicators, signals = (_joined([part[k] for part in parts], schema) for k, schema in enumerate(_KEPT))
        entries = {
            "bars": by_record(bars, BAR),
            "indicators": by_record(indicators, INDICATOR),
            "signals": by_row(signals),
            "features": by_pulse([(part[FEATURES], part[PULSES]) for part in parts]),
        }
        features = sum(len(part[FEATURES]) for part in parts)
        for family, rows in zip(_FAMILIES, (len(bars), len(indicators), len(signals), features), strict=True):
            self.rows[family] += rows
        for family, found in entries.items():
            self.entries[family] += len(found)
            for entry in found:
                self.digests[family] = hashlib.sha256(self.digests[family] + entry.block).digest()
        return Produced(bars, indicators, signals, entries)

    def _make_room(self, batch: RecordBatch) -> None:
        longest = int(batch.table["length"].max()) if len(batch) else 0
        if longest > self._frame_bytes:
            self._frame_bytes = longest
            self._out = self._fresh_outputs()

    def _fresh_outputs(self) -> Outputs:
        ticks, damage = tick_capacity(self._frame_bytes), damage_capacity(self._frame_bytes)
        return empty_outputs(len(self.memory.tokens), ticks, damage)


def _joined(parts: list[Rows], schema: Schema) -> Rows:
    """Return all rows; most batches give none, and joining arrays of many columns is slow."""
    found = [rows for rows in parts if len(rows)]
    if len(found) > 1:
        return np.concatenate(found)
    return found[0] if found else _NOTHING[schema.name]
