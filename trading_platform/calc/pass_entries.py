"""How rows that the pass produced become entries of streams: packed, and numbered by the record that gave them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trading_platform.wire.records import FEATURE, SIGNAL, Rows, Schema, pack_rows


@dataclass(frozen=True, slots=True)
class Entry:
    """Rows of one family that one record produced, packed; `part` tells two entries of one record apart."""

    record: int
    part: int
    block: bytes


def by_record(rows: Rows, schema: Schema) -> list[Entry]:
    """Pack the rows of each record together."""
    if not len(rows):
        return []
    records = rows["record"]
    starts = np.concatenate([[0], np.flatnonzero(records[1:] != records[:-1]) + 1, [len(rows)]]).tolist()
    return [Entry(int(records[start]), 0, pack_rows(schema, rows[start:end])) for start, end in pairwise(starts)]


def by_row(rows: Rows) -> list[Entry]:
    """Pack each signal by itself."""
    entries: list[Entry] = []
    for row in range(len(rows)):
        record = int(rows["record"][row])
        entries.append(Entry(record, _next_part(entries, record), pack_rows(SIGNAL, rows[row : row + 1])))
    return entries


def by_pulse(parts: Sequence[tuple[Rows, Rows]]) -> list[Entry]:
    """Pack the block of features of each pulse; a part is features and the pulses that say which are whose."""
    entries: list[Entry] = []
    for features, pulses in parts:
        for record, first, count in pulses.tolist():
            block = pack_rows(FEATURE, features[first : first + count])
            entries.append(Entry(record, _next_part(entries, record), block))
    return entries


def _next_part(entries: list[Entry], record: int) -> int:
    return entries[-1].part + 1 if entries and entries[-1].record == record else 0
