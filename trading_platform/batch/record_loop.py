"""Drive a pass with the records of a source, as far as it is wanted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.ports import RecordSource
from trading_platform.wire.journal_records import RecordBatch

READ_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """Where records end that count: behind a number, before the first that came later than a moment; None: nowhere."""

    number: int | None = None
    received_ns: int | None = None

    def of(self, batch: RecordBatch) -> RecordBatch:
        """Return the records of a batch up to the limit."""
        beyond = np.zeros(len(batch), dtype=np.bool_)
        if self.number is not None:
            beyond |= batch.table["number"] > self.number
        if self.received_ns is not None:
            beyond |= batch.table["received_ns"] > self.received_ns
        return _part(batch, 0, int(np.argmax(beyond))) if beyond.any() else batch


def feed_records(
    state: SessionPass, source: RecordSource, limit: Limit, *, stop_at: int | None = None
) -> Iterator[tuple[RecordBatch, Produced]]:
    """Feed `state` all records of `source` behind its position up to a limit; yield each batch and what it gave.

    One batch ends with record `stop_at`, so that the state can be looked at as it was there.
    """
    while limit.number is None or state.position < limit.number:
        batch = source.read(state.position, READ_BYTES, 0.0)
        wanted = limit.of(batch)
        for part in _split(wanted, stop_at):
            yield part, state.feed(part)
        if not len(batch) or len(wanted) < len(batch):
            return


def _split(batch: RecordBatch, stop_at: int | None) -> list[RecordBatch]:
    if stop_at is None or not len(batch):
        return [batch] if len(batch) else []
    behind = int(np.searchsorted(batch.table["number"], np.uint64(stop_at), "right"))
    return [part for part in (_part(batch, 0, behind), _part(batch, behind, len(batch))) if len(part)]


def _part(batch: RecordBatch, first: int, end: int) -> RecordBatch:
    return RecordBatch(batch.buffer, batch.table[first:end])
