"""Read a journal in order, also while it is being written: never writes, takes no lock, names every damage."""

import hashlib
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from trading_platform.errors import JournalDamaged, MissingBlob
from trading_platform.storage.journal_chunks import Chunk, End, Fault, SegmentFile, open_segment
from trading_platform.storage.journal_repair import find_tail
from trading_platform.storage.journal_segments import (
    Damage,
    Segment,
    SegmentHeader,
    identity_path,
    journal_folder,
    list_segments,
)
from trading_platform.storage.journal_window import window_start
from trading_platform.wire.journal_records import RecordBatch, empty_batch

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SEGMENT_ATTEMPTS = 3


class JournalReader:
    """Follow the journal of one shard and session.

    Damage raises JournalDamaged where it stands; with `tolerant=True` it is put into `damages` and reading goes on
    with the next good record. `torn_tail` counts bytes after the last good record that are not a record (yet).
    """

    def __init__(self, root: Path, shard: str, session: date, *, tolerant: bool = False) -> None:
        self.folder = journal_folder(root, shard, session)
        self.damages: list[Damage] = []
        self.torn_tail = 0
        self._shard, self._session = shard, session
        self._tolerant = tolerant
        self._file: SegmentFile | None = None
        self._left = 0  # number of the last segment that was read to its end
        self._pending: Chunk | None = None  # read from the file, but not yet continuing what was read
        self._held = empty_batch()
        self._row = 0  # next row of `_held` to hand out
        self._served = -1  # number of the last record handed out
        self._loaded = 0  # number of the last record in `_held`
        self._seeking = False  # `_loaded` is where the caller stands, not what was read here

    def read(self, after: int, max_bytes: int) -> RecordBatch:
        """Return records from `after + 1` on, about `max_bytes` at most but one at least; empty when none is there."""
        if after != self._served:
            self._seek(after)
        while self._row >= len(self._held):
            if not self._load():
                return empty_batch()
        return self._serve(max_bytes)

    def last_number(self) -> int:
        """Return the number of the last good record, 0 for an empty journal."""
        return self._retried(lambda segments: find_tail(segments).last_number)

    def window_start(self, max_bytes: int) -> int:
        """Return the first number of about the last `max_bytes` of records, 1 when there are fewer."""
        return self._retried(lambda segments: window_start(segments, max_bytes))

    def identity(self) -> str | None:
        """Return what tells this journal from others of the session: None before the first record.

        A journal that was made without an identity is known by the sha256 of its first record.
        """
        probe = JournalReader(self.folder.parent.parent, self._shard, self._session, tolerant=True)
        batch = probe.read(0, 1)
        probe.close()
        if not len(batch):
            return None
        path = identity_path(self.folder)
        return path.read_text("ascii") if path.is_file() else hashlib.sha256(batch.encoded(0)).hexdigest()

    def blobs(self) -> list[str]:
        """Return the hashes of all content beside the segments."""
        folder = self.folder / "blobs"
        return sorted(path.name for path in folder.iterdir() if _SHA256.fullmatch(path.name)) if folder.is_dir() else []

    def blob(self, sha256: str) -> bytes:
        """Return the content with this hash; raise MissingBlob when it is not there or is not what it was."""
        path = self.folder / "blobs" / sha256
        if not _SHA256.fullmatch(sha256) or not path.is_file():
            raise MissingBlob(f"{path} is missing and replay needs it: copy it from a backup of this journal")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise MissingBlob(f"{path} does not hold what its name says: copy it from a backup of this journal")
        return content

    def close(self) -> None:
        """Close the file that is being read; reading again opens it again."""
        if self._file:
            self._file.close()
        self._file, self._pending, self._served = None, None, -1
        self._held, self._row = empty_batch(), 0

    def _serve(self, max_bytes: int) -> RecordBatch:
        table = self._held.table[self._row :]
        count = max(1, int(np.searchsorted(np.cumsum(table["length"]), max_bytes, side="right")))
        self._row += count
        batch = RecordBatch(self._held.buffer, table[:count])
        self._served = batch.last_number
        return batch

    def _seek(self, after: int) -> None:
        """Stand before record `after + 1`: among the records at hand, or in the segment that should hold it."""
        numbers = self._held.table["number"]
        if len(numbers) and int(numbers[0]) <= after + 1 <= int(numbers[-1]) + 1:
            self._row, self._served = int(np.searchsorted(numbers, after + 1)), after
            return
        self.close()
        self._served = self._loaded = after
        self._seeking, self._left = True, 0
        for segment in reversed(list_segments(self.folder)):
            file = self._open(segment)
            if file.first_number is not None and file.first_number <= after + 1:
                self._file = file
                return
            file.close()

    def _load(self) -> bool:
        """Hold the next records; False when there are none now."""
        while True:
            if self._pending is None:
                file = self._current()
                if file is None:
                    return False
                # asked before reading: what is appended between the two is read the next time
                sealed = file.packed or self._next_segment(file.number) is not None
                part = file.next(wanted=self._loaded + 1, seeking=self._seeking)
                if isinstance(part, Chunk):
                    self._pending = part
                elif not sealed and (isinstance(part, End) or part.resumes_with is None):
                    self.torn_tail = part.length if isinstance(part, Fault) else 0
                    return False
                else:
                    self._pass(file, part)
            elif self._accept(self._pending):
                return True

    def _accept(self, chunk: Chunk) -> bool:
        """Hold the part of a chunk that continues what was read; False when none of it does."""
        records = chunk.records
        numbers = records.table["number"]
        if self._seeking:
            behind = int(np.searchsorted(numbers, self._loaded, side="right"))
            if behind == len(numbers):
                self._pending = None
                return False
            records = RecordBatch(records.buffer, records.table[behind:])
            numbers = records.table["number"]
            self._seeking = False
        run = _consecutive(numbers, self._loaded + 1)
        if run == 0:
            self._pending = self._pass_gap(Chunk(records, chunk.offset))
            return False
        self._held, self._row = RecordBatch(records.buffer, records.table[:run]), 0
        self._loaded += run
        rest = RecordBatch(records.buffer, records.table[run:])
        self._pending = Chunk(rest, chunk.offset) if len(rest) else None
        return True

    def _pass_gap(self, chunk: Chunk) -> Chunk | None:
        """Report numbers that do not continue; return the part of the chunk that goes on after them."""
        number = chunk.records.first_number
        offset = chunk.offset + (0 if self._file and self._file.packed else int(chunk.records.table["offset"][0]))
        segment = self._file.number if self._file else self._left
        if number > self._loaded:
            self._report(Damage(segment, offset, 0, self._loaded + 1, number - 1, "gap in the record numbers"))
            self._loaded = number - 1
            return chunk
        self._report(Damage(segment, offset, 0, self._loaded + 1, self._loaded, f"record {number} stands here again"))
        rest = RecordBatch(chunk.records.buffer, chunk.records.table[1:])
        return Chunk(rest, chunk.offset) if len(rest) else None

    def _pass(self, file: SegmentFile, part: Fault | End) -> None:
        """Leave a segment at its end, or step over a fault in it."""
        if isinstance(part, Fault):
            resumes = part.resumes_with if part.resumes_with is not None else self._first_after(file.number)
            behind = self._seeking and resumes is not None and 0 < resumes <= self._loaded + 1
            if self._loaded == 0 or not behind:  # what lies before the caller's place was met when it was read
                last = None if resumes is None else max(resumes - 1, self._loaded)
                self._report(Damage(file.number, part.offset, part.length, self._loaded + 1, last, part.reason))
                self._loaded = last if last is not None else self._loaded
            file.skip(part)
            if part.resumes_with is not None:
                return
        elif part.next_number is not None and part.next_number > self._loaded + 1:
            last = part.next_number - 1
            self._report(Damage(file.number, 0, 0, self._loaded + 1, last, "blocks are missing"))
            self._loaded = last
        self._left = file.number
        file.close()
        self._file = None

    def _retried(self, question: Callable[[list[Segment]], int]) -> int:
        for _ in range(_SEGMENT_ATTEMPTS):
            try:
                return question(list_segments(self.folder))
            except FileNotFoundError:  # a segment was packed between listing and reading
                continue
        raise JournalDamaged(f"the segments of {self.folder} vanish while they are read; is something removing them?")

    def _report(self, damage: Damage) -> None:
        if not self._tolerant:
            raise JournalDamaged(
                f"{self.folder}: {damage}; `trading-platform verify {self.folder}` lists all damage, restore the file "
                "from a backup"
            )
        self.damages.append(damage)

    def _current(self) -> SegmentFile | None:
        if self._file is None:
            following = self._next_segment(self._left)
            self._file = self._open(following) if following else None
        return self._file

    def _next_segment(self, number: int) -> Segment | None:
        return next((segment for segment in list_segments(self.folder) if segment.number > number), None)

    def _first_after(self, number: int) -> int | None:
        """Return the first record number of the next segment, None when there is none or its header is damaged."""
        following = self._next_segment(number)
        if following is None:
            return None
        file = self._open(following)
        file.close()
        return file.first_number

    def _open(self, segment: Segment) -> SegmentFile:
        return open_segment(self.folder, segment, SegmentHeader(self._shard, self._session, segment.number, 0))


def _consecutive(numbers: np.ndarray, expected: int) -> int:
    """Count the leading numbers that go on from `expected` without a gap."""
    matches = numbers == expected + np.arange(len(numbers), dtype=np.uint64)
    return len(matches) if matches.all() else int(np.argmin(matches))
