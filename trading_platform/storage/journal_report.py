"""Verify a whole journal: every record, every block, every number, all content that a control record names."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from trading_platform.errors import MissingBlob, RecordFormatError
from trading_platform.storage.journal_reader import JournalReader
from trading_platform.storage.journal_segments import Damage, list_segments
from trading_platform.wire.journal_records import RecordBatch, RecordKind, decode_control

_READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What a journal holds and what is wrong with it."""

    segments: int
    records: int
    bytes: int  # of bodies
    first_number: int
    last_number: int
    damages: tuple[Damage, ...]
    torn_tail: int  # bytes
    bad_content: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Return whether nothing is damaged, torn or missing."""
        return not (self.damages or self.torn_tail or self.bad_content)


def verify_journal(root: Path, shard: str, session: date) -> JournalReport:
    """Read everything and count it; damage is listed, not raised."""
    reader = JournalReader(root, shard, session, tolerant=True)
    records = size = first = last = 0
    bad_content: list[str] = []
    while batch := reader.read(last, _READ_BYTES):
        first = first or batch.first_number
        last = batch.last_number
        records += len(batch)
        size += int(batch.table["length"].sum())
        bad_content += _bad_content(reader, batch)
    reader.close()
    segments = len(list_segments(reader.folder))
    damages = tuple(reader.damages)
    return JournalReport(segments, records, size, first, last, damages, reader.torn_tail, tuple(bad_content))


def _bad_content(reader: JournalReader, batch: RecordBatch) -> list[str]:
    """Say which control records cannot be read or name content that is not there."""
    faults: list[str] = []
    for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL):
        try:
            sha256 = decode_control(batch.body(int(row))).sha256
            if sha256:
                reader.blob(sha256)
        except (RecordFormatError, MissingBlob) as error:
            faults.append(f"record {int(batch.table['number'][row])}: {error}")
    return faults
