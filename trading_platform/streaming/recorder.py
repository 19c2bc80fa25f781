"""The journal's one writer in a running session: journal first, then the stream; repairs both, survives Redis."""

import threading
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Any, Self

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from trading_platform.errors import (
    JournalDamaged,
    JournalWriteFailed,
    MissingBlob,
    RecordFormatError,
    SessionIsClosed,
    StoreUnavailable,
)
from trading_platform.market.clock import elapsed_ns
from trading_platform.ports import RecordHistory, RecordJournal, StoreConnector
from trading_platform.streaming.frame_stream import FrameStream
from trading_platform.streaming.stream_repair import Completion, catch_up, complete_journal, complete_stream
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import ControlType, RecordKind, decode_control, encode_control

_REFUSALS = (RedisConnectionError, RedisTimeoutError, ResponseError, StoreUnavailable, JournalDamaged, MissingBlob)
"""Redis is away, loading, read-only, out of memory, its disk is full, the stream is not ours, or the journal's past
cannot be read to fill it: recording goes on without Redis."""

_JOIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RecorderCounters:
    """What a recorder did so far."""

    records: int
    bytes: int  # of records, headers included
    clock_steps: int
    journal_repaired: int  # records taken over from the stream
    stream_repaired: int  # records copied from the journal into the stream
    streams_rebuilt: int  # streams that contradicted the journal
    redis_failures: int
    last_redis_failure: str | None
    online: bool


class Recorder:
    """Record payloads and control records; several threads may record, each call is one record in one sequence.

    After the record that closes the session nothing is taken any more: SessionIsClosed, also when the journal ended
    with it before.

    The journal belongs to the caller, who closes it after the recorder.
    """

    def __init__(
        self,
        *,
        journal: RecordJournal,
        history: RecordHistory,
        store: StoreConnector,
        shard: str,
        session: date,
        window_bytes: int = redis_keys.FRAMES_WINDOW_BYTES,
        retry_seconds: float = 0.5,
        sync_seconds: float = 0.1,
    ) -> None:
        self._journal, self._history, self._store = journal, history, store
        self._shard, self._session, self._window_bytes = shard, session, window_bytes
        self._retry_seconds, self._sync_seconds = retry_seconds, sync_seconds
        self._append_guard = threading.Lock()  # the journal and what waits for the stream
        self._flush_guard = threading.Lock()  # the stream; taken before the other one
        self._waiting: list[tuple[int, bytes]] = []
        self._clock: dict[int, int] = {}  # thread -> its last receive time as given
        self._stream: FrameStream | None = None
        self._sync_failure: JournalWriteFailed | None = None
        self._closed = False  # the session, by its record
        self._dirty = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._records = self._bytes = self._clock_steps = 0
        self._journal_repaired = self._stream_repaired = self._streams_rebuilt = 0
        self._redis_failures = 0
        self._last_redis_failure: str | None = None
        self.journal_flushed_ns = 0  # monotonic: when the last flush had written to the journal, not yet to the stream

    def start(self) -> Self:
        """Make journal and stream agree, then keep the journal durable and Redis connected in the background."""
        try:
            stream = self._open_stream()
            done = complete_journal(self._journal, self._history, stream)
            self._journal_repaired += done.added
            self._note_contradiction(done)
            self._repair(stream)
        except _REFUSALS as error:
            self._note_refusal(error)
        self._closed = self._ends_closed()
        for work in (self._keep_synced, self._keep_connected):
            thread = threading.Thread(target=work, name=f"recorder-{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    @property
    def last_number(self) -> int:
        """Return the number of the last record."""
        return self._journal.last_number

    @property
    def counters(self) -> RecorderCounters:
        """Return what was done so far."""
        return RecorderCounters(
            records=self._records,
            bytes=self._bytes,
            clock_steps=self._clock_steps,
            journal_repaired=self._journal_repaired,
            stream_repaired=self._stream_repaired,
            streams_rebuilt=self._streams_rebuilt,
            redis_failures=self._redis_failures,
            last_redis_failure=self._last_redis_failure,
            online=self._stream is not None,
        )

    def frame(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:
        """Record a binary websocket payload; return its number."""
        return self._record(RecordKind.FRAME, payload, received_ns, socket)

    def text(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:
        """Record a text websocket payload; return its number."""
        return self._record(RecordKind.TEXT, payload, received_ns, socket)

    def control(
        self, control: ControlType, /, *, received_ns: int, content: bytes | None = None, socket: int = 0, **fields: Any
    ) -> int:
        """Record something that can change an output, `content` stored first and named by its sha256."""
        if content is not None:
            fields["sha256"] = self._store_content(content)
        closes = control is ControlType.SESSION_CLOSED
        return self._record(RecordKind.CONTROL, encode_control(control, **fields), received_ns, socket, closes=closes)

    def flush(self) -> None:
        """Write what was recorded to the journal, then to the stream.

        Raise JournalWriteFailed when the file system refuses the write or refused a sync; nothing is lost then, and
        flushing can be repeated.
        """
        with self._flush_guard:
            with self._append_guard:
                failure = self._flush_journal()
                self.journal_flushed_ns = elapsed_ns()
                flushed = self._journal.flushed_number
                ready = [entry for entry in self._waiting if entry[0] <= flushed]
                self._waiting = self._waiting[len(ready) :]
            if ready:
                self._dirty.set()
                self._send(ready)
        failure, self._sync_failure = failure or self._sync_failure, None
        if failure:
            raise failure

    def close(self) -> None:
        """Flush, sync, and end the background work."""
        try:
            self.flush()
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join(_JOIN_SECONDS)
        self._journal.sync()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _record(self, kind: RecordKind, body: bytes, received_ns: int, socket: int, *, closes: bool = False) -> int:
        with self._append_guard:
            self._refuse_when_closed()
            # one clock serves all threads, but they reach this point in any order: each is compared with itself
            thread = socket if kind is not RecordKind.CONTROL else -1 - socket
            before = self._clock.get(thread, received_ns if self._clock else self._journal.last_received_ns)
            if received_ns < before:
                self._note_clock_step(before, received_ns, socket)
            self._clock[thread] = received_ns
            number = self._append(kind, body, received_ns, socket)
            self._closed = closes
            return number

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise SessionIsClosed(
                f"the journal of {self._session}, shard {self._shard}, ends with record {self.last_number}, which "
                "closes the session: move its folder away to record the session anew, or record into another shard"
            )

    def _ends_closed(self) -> bool:
        """Return whether the journal ends with the record that closes the session."""
        last = self._journal.last_number
        if last == 0:
            return False
        try:
            batch = self._history.read(last - 1, 1)
            if not len(batch) or int(batch.table["kind"][0]) != RecordKind.CONTROL:
                return False
            return decode_control(batch.body(0)).type is ControlType.SESSION_CLOSED
        except (JournalDamaged, RecordFormatError):
            return False  # it can be read by nobody, and what comes now has to be kept

    def _append(self, kind: RecordKind, body: bytes, received_ns: int, socket: int) -> int:
        stamp = max(received_ns, self._journal.last_received_ns)
        record = self._journal.append(kind, body, stamp, socket=socket)
        self._waiting.append((self._journal.last_number, record))
        self._records += 1
        self._bytes += len(record)
        return self._journal.last_number

    def _note_clock_step(self, before: int, received_ns: int, socket: int) -> None:
        """Record one step for all sockets: receive times stand still until the clock is where it was."""
        self._clock = {each: min(last, received_ns) for each, last in self._clock.items()}
        self._clock_steps += 1
        body = encode_control(ControlType.CLOCK_STEP, from_ns=before, to_ns=received_ns)
        self._append(RecordKind.CONTROL, body, received_ns, socket)

    def _store_content(self, content: bytes) -> str:
        sha256 = self._journal.put_blob(content)
        with self._flush_guard:
            if self._stream:
                try:
                    self._stream.put_blob(sha256, content)
                except _REFUSALS as error:
                    self._note_refusal(error)
        return sha256

    def _flush_journal(self) -> JournalWriteFailed | None:
        try:
            self._journal.flush()
        except JournalWriteFailed as error:
            return error
        return None

    def _send(self, records: list[tuple[int, bytes]]) -> None:
        if self._stream is None:
            return  # the stream is completed from the journal when Redis is back
        try:
            self._stream.append(records)
        except _REFUSALS as error:
            self._note_refusal(error)

    def _open_stream(self) -> FrameStream:
        return FrameStream(self._store.connect(), self._shard, self._session, window_bytes=self._window_bytes)

    def _repair(self, stream: FrameStream) -> None:
        """Complete the stream from the journal, the long part without holding up who records, then use it."""
        last = self._journal.flushed_number
        done = complete_stream(self._history, stream, last=last, window_bytes=self._window_bytes)
        self._stream_repaired += done.added
        self._note_contradiction(done)
        for sha256 in self._history.blobs():
            if not stream.has_blob(sha256):
                stream.put_blob(sha256, self._history.blob(sha256))
        with self._flush_guard:
            self._stream_repaired += catch_up(self._history, stream, after=done.last)
            self._stream = stream

    def _keep_connected(self) -> None:
        while not self._stopping.wait(self._retry_seconds):
            if self._stream is None:
                try:
                    self._repair(self._open_stream())
                except _REFUSALS as error:
                    self._note_refusal(error)

    def _keep_synced(self) -> None:
        while not self._stopping.wait(self._sync_seconds):
            if self._dirty.is_set():
                self._dirty.clear()
                try:
                    self._journal.sync()
                except JournalWriteFailed as error:
                    self._sync_failure = error
                    self._dirty.set()

    def _note_refusal(self, error: Exception) -> None:
        self._stream = None
        self._redis_failures += 1
        self._last_redis_failure = f"{type(error).__name__}: {error}"

    def _note_contradiction(self, done: Completion) -> None:
        if done.contradiction:
            self._streams_rebuilt += 1
            self._last_redis_failure = done.contradiction
