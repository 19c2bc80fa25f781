"""The journal's one writer: numbers records, appends them, rolls segments, and packs those that are closed."""

import fcntl
import hashlib
import os
import secrets
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from trading_platform.errors import JournalDamaged, JournalError, JournalLocked, JournalWriteFailed
from trading_platform.storage.journal_blocks import pack_segment
from trading_platform.storage.journal_repair import TailRepair, cut_tail, find_tail, finish_interrupted_work
from trading_platform.storage.journal_segments import (
    FILE_MODE,
    SEGMENT_HEADER_BYTES,
    Damage,
    SegmentHeader,
    encode_segment_header,
    identity_path,
    journal_folder,
    list_segments,
    make_folder,
    raw_path,
    write_durably,
    write_failed,
)
from trading_platform.wire.journal_records import RecordBatch, encode_record

SEGMENT_BYTES = 64 * 1024 * 1024

BUFFER_LIMIT_BYTES = 64 * 1024 * 1024
"""How much may wait for a file system that refuses writes, before more is refused too."""


class JournalWriter:
    """Append records to the journal of one shard and session; a second writer is refused by a lock."""

    def __init__(self, folder: Path, header: SegmentHeader, *, segment_bytes: int, lock: int) -> None:
        self.folder = folder
        self.repair: TailRepair | None = None
        self.damages: tuple[Damage, ...] = ()
        self.last_number = 0
        self.last_received_ns = 0
        self.flushed_number = 0
        self.unpacked: list[str] = []  # why closed segments stayed raw
        self._header = header
        self._segment_bytes = segment_bytes
        self._lock = lock
        self._handle = -1
        self._handle_guard = threading.Lock()
        self._end = 0  # of good bytes in the open segment
        self._cut_first = False  # bytes of a failed write stand behind `_end`
        self._buffer: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._packer = ThreadPoolExecutor(1, "journal-packer")
        self._packing: list[Future[Path]] = []

    @classmethod
    def open(cls, root: Path, shard: str, session: date, *, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Lock the journal, repair what a crash left (see `repair`), and continue it; raise JournalLocked."""
        folder = journal_folder(root, shard, session)
        make_folder(folder / "blobs")
        lock = _lock(folder)
        writer = cls(folder, SegmentHeader(shard, session, 0, 1), segment_bytes=segment_bytes, lock=lock)
        with ExitStack() as undo:
            undo.callback(writer._release)
            if not list_segments(folder):
                write_durably(identity_path(folder), secrets.token_hex(16).encode("ascii"))
            writer._recover()
            undo.pop_all()
        return writer

    @property
    def buffered_bytes(self) -> int:
        """Return how many bytes wait for the next flush."""
        return self._buffered_bytes

    def append(self, kind: int, body: bytes, received_ns: int, *, socket: int = 0) -> bytes:
        """Give a record the next number, put it into the buffer and return it as it is written down."""
        record = encode_record(self.last_number + 1, received_ns, kind, body, socket)
        self._put(record, self.last_number + 1, received_ns)
        return record

    def append_encoded(self, records: RecordBatch) -> None:
        """Take over records that are numbered already; they must continue the journal without a gap."""
        for row in range(len(records)):
            number = int(records.table["number"][row])
            if number != self.last_number + 1:
                raise JournalError(f"record {number} cannot follow record {self.last_number} of {self.folder}")
            self._put(records.encoded(row), number, int(records.table["received_ns"][row]))

    def flush(self) -> None:
        """Write what is buffered with one call; after JournalWriteFailed nothing is lost and it can be repeated."""
        if not self._buffer:
            return
        try:
            self._restore_end()
            if self._end > SEGMENT_HEADER_BYTES and self._end + self._buffered_bytes > self._segment_bytes:
                self._roll()
            self._write(b"".join(self._buffer))
        except OSError as error:
            raise write_failed(raw_path(self.folder, self._header.segment), error) from error

    def sync(self) -> None:
        """Make what was flushed durable; any thread may call it."""
        with self._handle_guard:
            if self._handle < 0:
                return
            handle = os.dup(self._handle)
        try:
            os.fsync(handle)
        except OSError as error:
            raise write_failed(raw_path(self.folder, self._header.segment), error) from error
        finally:
            os.close(handle)

    def put_blob(self, content: bytes) -> str:
        """Store immutable content beside the segments and return its sha256; storing it again changes nothing."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.folder / "blobs" / sha256
        if not (path.is_file() and path.read_bytes() == content):
            write_durably(path, content)
        return sha256

    def close(self, *, compress: bool = True) -> None:
        """Flush, sync, pack closed segments, release the lock; after JournalWriteFailed it is open still.

        A segment that cannot be packed stays readable as it is, and `unpacked` says why. Closing again does nothing.
        """
        if self._lock < 0:
            return
        self.flush()
        self.sync()
        self._shut_segment()
        if compress:
            self._pack_closed()
        self._release()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal; leave the last segment raw when something went wrong."""
        try:
            self.close(compress=error is None)
        finally:
            self._release()

    def _put(self, record: bytes, number: int, received_ns: int) -> None:
        if self._handle < 0:
            raise JournalError(f"the journal {self.folder} is closed; open it again to append")
        if self._buffered_bytes + len(record) > max(BUFFER_LIMIT_BYTES, len(record)):
            raise JournalWriteFailed(
                f"{self._buffered_bytes} bytes wait to be written to {self.folder}, which refuses them; free space"
            )
        self._buffer.append(record)
        self._buffered_bytes += len(record)
        self.last_number, self.last_received_ns = number, received_ns

    def _write(self, content: bytes) -> None:
        written = 0
        try:
            while written < len(content):
                written += os.write(self._handle, content[written:] if written else content)
        finally:
            self._settle(written)

    def _settle(self, written: int) -> None:
        """Drop whole records that are in the file from the buffer; mark what is behind them for cutting.

        A record that is whole in the file may have been read already, so it is never cut.
        """
        while self._buffer and len(self._buffer[0]) <= written:
            size = len(self._buffer.popleft())
            written -= size
            self._end += size
            self._buffered_bytes -= size
            self.flushed_number += 1
        self._cut_first = bool(self._buffer)
        if self._cut_first:
            self._restore_end()

    def _restore_end(self) -> None:
        if self._cut_first:
            os.ftruncate(self._handle, self._end)
            self._cut_first = False

    def _recover(self) -> None:
        finish_interrupted_work(self.folder)
        segments = list_segments(self.folder)
        tail = find_tail(segments)
        self.damages = tail.damages
        self.last_number = self.flushed_number = tail.last_number
        self.last_received_ns = tail.last_received_ns
        if segments and segments[-1].raw:
            self.repair = cut_tail(self.folder, segments[-1], tail)
            self._open_segment(segments[-1].number, tail.good_bytes)
        else:
            self._start_segment(segments[-1].number + 1 if segments else 1)
        for segment in list_segments(self.folder)[:-1]:
            if segment.raw:
                self._packing.append(self._packer.submit(pack_segment, segment.raw))

    def _start_segment(self, number: int) -> None:
        header = SegmentHeader(self._header.shard, self._header.session, number, self.flushed_number + 1)
        write_durably(raw_path(self.folder, number), encode_segment_header(header))
        self._open_segment(number, SEGMENT_HEADER_BYTES)

    def _open_segment(self, number: int, end: int) -> None:
        handle = os.open(raw_path(self.folder, number), os.O_WRONLY | os.O_APPEND)
        with self._handle_guard:
            self._handle = handle
        self._header = SegmentHeader(self._header.shard, self._header.session, number, self.last_number + 1)
        self._end = end

    def _roll(self) -> None:
        """Close the open segment behind the next one's header, and have it packed by the packer's thread."""
        full, old = self._header.segment, self._handle
        os.fsync(old)
        self._start_segment(full + 1)
        os.close(old)
        self._packing.append(self._packer.submit(pack_segment, raw_path(self.folder, full)))

    def _shut_segment(self) -> None:
        with self._handle_guard:
            handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _pack_closed(self) -> None:
        if self._end > SEGMENT_HEADER_BYTES:  # an empty one is continued by the next writer
            self._packing.append(self._packer.submit(pack_segment, raw_path(self.folder, self._header.segment)))
        for future in self._packing:
            try:
                future.result()
            except (JournalDamaged, JournalWriteFailed) as error:
                self.unpacked.append(str(error))

    def _release(self) -> None:
        self._packer.shutdown(wait=True)
        self._shut_segment()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock(folder: Path) -> int:
    """Take the writer's lock or name the process that holds it."""
    path = folder / "lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise write_failed(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        os.close(handle)
        raise JournalLocked(f"process {holder} writes {folder}; stop it first, or choose another shard") from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
