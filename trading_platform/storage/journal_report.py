"""Verify a whole journal: every record, every block, every number, all content that a control record names."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from trading_platform.errors import MissingBlob, RecordFormatError
from trading_platform.storage.journal_reader import JournalReader
from trading_platform.storage.journal_segments import Damage, list_segments
from trading_platform.wire.journal_records import Control, ControlType, RecordBatch, RecordKind, decode_control

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
    disorder: tuple[str, ...]  # records that open or close the session at a wrong place

    @property
    def is_whole(self) -> bool:
        """Return whether nothing is damaged, torn, missing or out of order."""
        return not (self.damages or self.torn_tail or self.bad_content or self.disorder)


class _Order:
    """Follows the records that open and close a session: one opens it at record 1, and one closes it at the end."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._closed_by: int | None = None
        self._told = False

    def see(self, number: int, control: ControlType | None) -> None:
        """Look at a record; of those that are no control records the last of a batch stands for all."""
        opens = control is ControlType.SESSION_OPENED
        if number == 1 and not opens:
            self.faults.append("record 1 does not open the session")
        if number > 1 and opens:
            self.faults.append(f"record {number} opens the session, which only record 1 may")
        if self._closed_by is not None and not self._told:
            self.faults.append(f"records stand behind record {self._closed_by}, which closes the session")
            self._told = True
        if control is ControlType.SESSION_CLOSED and self._closed_by is None:
            self._closed_by = number


def verify_journal(root: Path, shard: str, session: date) -> JournalReport:
    """Read everything and count it; damage is listed, not raised."""
    reader = JournalReader(root, shard, session, tolerant=True)
    records = size = first = last = 0
    bad_content: list[str] = []
    order = _Order()
    while batch := reader.read(last, _READ_BYTES):
        first = first or batch.first_number
        last = batch.last_number
        records += len(batch)
        size += int(batch.table["length"].sum())
        controls = _controls(batch, bad_content)
        bad_content += _bad_content(reader, controls)
        _look_at_order(batch, controls, order)
    reader.close()
    segments = len(list_segments(reader.folder))
    return JournalReport(
        segments=segments,
        records=records,
        bytes=size,
        first_number=first,
        last_number=last,
        damages=tuple(reader.damages),
        torn_tail=reader.torn_tail,
        bad_content=tuple(bad_content),
        disorder=tuple(order.faults),
    )


def _controls(batch: RecordBatch, faults: list[str]) -> dict[int, Control]:
    """Return the control records of a batch by number; those that cannot be read are named in `faults`."""
    found: dict[int, Control] = {}
    for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL).tolist():
        number = int(batch.table["number"][row])
        try:
            found[number] = decode_control(batch.body(row))
        except RecordFormatError as error:
            faults.append(f"record {number}: {error}")
    return found


def _look_at_order(batch: RecordBatch, controls: dict[int, Control], order: _Order) -> None:
    """Show the first record, the last and all control records; others change nothing between them."""
    numbers = batch.table["number"]
    for number in sorted({int(numbers[0]), int(numbers[-1]), *controls}):
        control = controls.get(number)
        order.see(number, control.type if control else None)


def _bad_content(reader: JournalReader, controls: dict[int, Control]) -> list[str]:
    """Say which control records name content that is not there."""
    faults: list[str] = []
    for number, control in controls.items():
        try:
            if control.sha256:
                reader.blob(control.sha256)
        except MissingBlob as error:
            faults.append(f"record {number}: {error}")
    return faults
