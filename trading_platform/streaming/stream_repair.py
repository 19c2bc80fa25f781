"""Make journal and stream agree: first the journal from the stream (a torn tail), then the stream from the journal."""

from dataclasses import dataclass

from trading_platform.errors import JournalDamaged
from trading_platform.ports import RecordHistory, RecordJournal
from trading_platform.streaming.frame_stream import FIELD, FrameStream, StreamExtent
from trading_platform.wire.journal_records import RecordBatch, ScanStop, scan_records

_COPY_BYTES = 1024 * 1024
_FLUSH_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class Completion:
    """How many records were added, which is the last now, and what contradicted the journal, if anything did."""

    added: int
    last: int
    contradiction: str | None = None


def complete_journal(journal: RecordJournal, history: RecordHistory, stream: FrameStream) -> Completion:
    """Add to the journal what only the stream has, as far as it continues the journal.

    Nothing is taken from a stream that differs from the journal or shares no record with it: it may be the stream of
    an earlier journal of the same session.
    """
    begun = journal.last_number
    extent = stream.extent()
    if extent is None or extent.last <= begun:
        return Completion(0, begun)
    contradiction = _strangeness(extent, begun) or _disagreement(history, stream, first=extent.first, last=begun)
    if contradiction:
        return Completion(0, begun, contradiction)
    for entry_id, fields in stream.entries(begun + 1, extent.last):
        record = _record_in(entry_id, fields, number=journal.last_number + 1)
        if record is None:
            contradiction = f"entry {entry_id.decode()} does not continue record {journal.last_number} of the journal"
            break
        journal.append_encoded(record)
        if journal.last_number % _FLUSH_RECORDS == 0:
            journal.flush()
    journal.flush()
    return Completion(journal.last_number - begun, journal.last_number, contradiction)


def complete_stream(history: RecordHistory, stream: FrameStream, *, last: int, window_bytes: int) -> Completion:
    """Fill the stream with the journal's window up to record `last`; a stream that contradicts it is made anew.

    A journal whose window is damaged leaves the stream empty: readers then meet the damage in the journal itself.
    """
    stream.forget()
    try:
        first = history.window_start(window_bytes)
        contradiction, after = _usable_end(history, stream, first=first, last=last)
        if after is None:
            stream.delete()
            after = first - 1
        added = catch_up(history, stream, after=after)
        return Completion(added, after + added, contradiction)
    except JournalDamaged as error:
        stream.delete()
        return Completion(0, last, str(error))


def catch_up(history: RecordHistory, stream: FrameStream, *, after: int) -> int:
    """Copy records numbered from `after + 1` on into the stream; return how many."""
    added = 0
    while batch := history.read(after + added, _COPY_BYTES):
        numbers = batch.table["number"].tolist()
        stream.append([(number, batch.encoded(row)) for row, number in enumerate(numbers)])
        added += len(batch)
    return added


def _strangeness(extent: StreamExtent, begun: int) -> str | None:
    """Say why the stream cannot be told to be this journal's, None when both hold a record."""
    if begun == 0:
        return f"the journal is empty, the stream reaches record {extent.last}: it is another journal's"
    if extent.first > begun:
        return f"the stream begins at record {extent.first}, the journal ends at {begun}: no record is in both"
    return None


def _usable_end(history: RecordHistory, stream: FrameStream, *, first: int, last: int) -> tuple[str | None, int | None]:
    """Return what contradicts the journal, and the number after which the stream goes on (None: make it anew)."""
    extent = stream.extent()
    if extent is None:
        return None, None
    if extent.newest_ever > last:
        return f"the stream reaches record {extent.newest_ever}, the journal {last}", None
    if extent.last != extent.newest_ever or extent.last + 1 < first:
        return None, None  # emptied, or older than the window
    begin = max(extent.first, first)
    contradiction = _disagreement(history, stream, first=begin, last=extent.last)
    return contradiction, (None if contradiction else extent.last)


def _disagreement(history: RecordHistory, stream: FrameStream, *, first: int, last: int) -> str | None:
    """Compare the stream's entries from `first` to `last` with the journal, and count them as held."""
    if last < first:
        return None
    entries = stream.entries(first, last)
    after = first - 1
    while after < last:
        batch = history.read(after, _COPY_BYTES)
        if not len(batch):
            return f"the journal ends at record {after}, the stream at {last}"
        for row, number in enumerate(batch.table["number"].tolist()):
            if number > last:
                break
            record = batch.encoded(row)
            if next(entries, None) != (f"{number}-0".encode(), {FIELD: record}):
                return f"entry {number} of the stream is not record {number} of the journal"
            stream.remember([(number, len(record))])
        after = batch.last_number
    return "the stream has entries that no record has" if next(entries, None) else None


def _record_in(entry_id: bytes, fields: dict[bytes, bytes], *, number: int) -> RecordBatch | None:
    """Return the record in an entry when it is the one with this number, whole and checked."""
    scanned = scan_records(fields.get(FIELD, b""))
    single = len(scanned.records) == 1 and scanned.stop is ScanStop.END
    right = single and entry_id == f"{number}-0".encode() and scanned.records.first_number == number
    return scanned.records if right else None
