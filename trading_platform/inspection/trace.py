"""One instrument through the pass: what its journal gives of it up to a moment, kept apart from all others."""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from trading_platform.batch.record_loop import READ_BYTES, Limit, feed_records
from trading_platform.calc.pass_entries import Entry
from trading_platform.calc.pass_layout import EXPECTED
from trading_platform.calc.session_contents import tokens_of
from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.errors import MissingInput
from trading_platform.inspection.frames import PacketSeen, last_packets
from trading_platform.market.instruments import InstrumentDay
from trading_platform.ports import RecordSource
from trading_platform.wire.instrument_block import from_block
from trading_platform.wire.journal_records import Control, ControlType, RecordBatch, RecordKind, decode_control
from trading_platform.wire.records import BAR, FEATURE, INDICATOR, SIGNAL, Rows, Schema, unpack_rows

PACKETS_KEPT = 5
_FAMILIES = (BAR, INDICATOR, SIGNAL)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a journal's first records say: the day's instruments, and the tokens that were subscribed first."""

    instruments: InstrumentDay
    tokens: frozenset[int]


@dataclass(frozen=True, slots=True)
class ControlSeen:
    """A control record: its number, when it was written, what it says."""

    record: int
    received_ns: int
    control: Control


@dataclass(slots=True)
class Trace:
    """What came out for one token, in the order in which it came."""

    token: int
    state: SessionPass
    features_kept: int
    mark: int
    """The record whose receive time is wanted too."""
    mark_received_ns: int | None = None
    rows: dict[Schema, list[Rows]] = field(default_factory=lambda: {schema: [] for schema in _FAMILIES})
    packets: deque[PacketSeen] = field(default_factory=lambda: deque(maxlen=PACKETS_KEPT))
    controls: list[ControlSeen] = field(default_factory=list)
    received_ns: dict[int, int] = field(default_factory=dict)
    """Receive time of each record that gave a row."""
    features: dict[tuple[int, int], Rows] = field(default_factory=dict)
    """The last pulses by record and part, and the instrument's rows in them: one, or none when it did not change."""
    latest_at: tuple[int, Rows] | None = None
    """The `latest` row as it was at the record that was asked for, and that record."""
    reached_end: bool = True
    """Whether the limit let all records count that were there."""

    def of(self, schema: Schema) -> Rows:
        """Return all rows of one kind."""
        return np.concatenate([np.zeros(0, schema.dtype), *self.rows[schema]])

    @property
    def row(self) -> int | None:
        """Return the instrument's row in the memory of the pass, None while no socket carried it."""
        found = np.flatnonzero(self.state.memory.tokens == self.token)
        return int(found[0]) if len(found) else None

    def latest(self) -> Rows:
        """Return the `latest` row as it stands, none before the first packet."""
        rows = self.state.memory.latest
        mine: Rows = rows[(rows["token"] == self.token) & (rows["record"] > 0)].copy()
        return mine

    def expected(self, interval: int, minute_of_day: int) -> float | None:
        """Return the volume that the pass expects of the bar that starts then, None where it is not known."""
        row, memory = self.row, self.state.memory
        if row is None:
            return None
        by_bucket = (memory.by_minute if interval == 1 else memory.by_five)[:, EXPECTED]
        expected = float(by_bucket[row, minute_of_day // interval])
        return None if math.isnan(expected) else expected

    def last_content(self, control: ControlType) -> ControlSeen | None:
        """Return the last record that named content of one kind, None before the first."""
        named = [seen for seen in self.controls if seen.control.type is control]
        return named[-1] if named else None

    def take(self, batch: RecordBatch, produced: Produced) -> None:
        """Keep what a batch holds and gave of this instrument."""
        self.packets.extend(last_packets(batch, self.token, PACKETS_KEPT))
        if batch.first_number <= self.mark <= batch.last_number:
            at = np.searchsorted(batch.table["number"], np.uint64(self.mark))
            self.mark_received_ns = int(batch.table["received_ns"][at])
        for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL).tolist():
            entry = batch.table[row]
            seen = ControlSeen(int(entry["number"]), int(entry["received_ns"]), decode_control(batch.body(row)))
            self.controls.append(seen)
        for schema, rows in zip(_FAMILIES, (produced.bars, produced.indicators, produced.signals), strict=True):
            mine = rows[rows["token"] == self.token]
            self.rows[schema].append(mine)
            self._note_times(batch, mine)
        for entry in produced.entries["features"][-self.features_kept :]:
            self._keep_pulse(entry)

    def _note_times(self, batch: RecordBatch, mine: Rows) -> None:
        at = np.searchsorted(batch.table["number"], mine["record"])
        self.received_ns.update(zip(mine["record"].tolist(), batch.table["received_ns"][at].tolist(), strict=True))

    def _keep_pulse(self, entry: Entry) -> None:
        rows = unpack_rows(FEATURE, entry.block)
        self.features[entry.record, entry.part] = rows[rows["token"] == self.token]
        while len(self.features) > self.features_kept:
            del self.features[next(iter(self.features))]


def read_opening(source: RecordSource) -> Opening:
    """Read the control records at a journal's beginning; raise MissingInput when no instruments are named by then."""
    batch = source.read(0, READ_BYTES, 0.0)
    instruments: InstrumentDay | None = None
    tokens: set[int] = set()
    for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL).tolist():
        control = decode_control(batch.body(row))
        if control.type is ControlType.INSTRUMENTS:
            instruments = from_block(source.blob(str(control.sha256)))
        elif control.type is ControlType.SUBSCRIBED and control.sha256 is not None:
            tokens.update(tokens_of(source.blob(control.sha256)))
    if instruments is None:
        raise MissingInput(
            "the journal names no instruments: its session is only being opened (ask again), or its beginning is "
            "damaged (`trading-platform verify FOLDER` lists damage)"
        )
    return Opening(instruments, frozenset(tokens))


def trace_instrument(
    state: SessionPass,
    source: RecordSource,
    token: int,
    *,
    limit: Limit,
    latest_at: int | None,
    mark: int,
    features_kept: int,
) -> Trace:
    """Feed a fresh pass up to a limit and keep what is of `token`; its `latest` row also as of record `latest_at`."""
    kept = Trace(token, state, features_kept, mark, reached_end=limit == Limit())
    for batch, produced in feed_records(state, source, limit, stop_at=latest_at):
        kept.take(batch, produced)
        if state.position == latest_at:
            kept.latest_at = state.position, kept.latest()
    return kept
