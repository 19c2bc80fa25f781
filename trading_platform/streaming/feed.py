"""What sockets give becomes records: one thread writes them in order, and names every interval without a socket."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import orjson

from trading_platform.errors import FeedError, JournalWriteFailed
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.streaming.gauges import LatencyHistogram
from trading_platform.streaming.hand_over import Arrival, Entry, HandOver
from trading_platform.streaming.journal_edges import JournalTail
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType

QUEUE_BYTES = 256 * 1024 * 1024
"""More than a minute of the most that one key can send."""

SETTLED_NS = NS_PER_SECOND
"""A heartbeat ends a gap only this long after subscribing: one that was under way says nothing of the subscription."""

HEARTBEAT_BYTES, RECONNECTS_KEPT = 1, 32
_BATCH_BYTES = 1024 * 1024
_IDLE_SECONDS = 0.1
_REFUSED_SECONDS = 0.25
_SHOWN_CHARACTERS = 200


@dataclass(slots=True)
class SocketTrack:
    """One socket as its records stand in the journal."""

    tokens: tuple[int, ...] = ()
    last_ns: int | None = None  # receive time of its last record before which nothing is missing
    away_ns: int | None = None  # since when it is away, None while it is not
    subscribed_ns: int | None = None
    reason: str = ""
    frames: int = 0
    heartbeats: int = 0
    texts: int = 0
    bytes: int = 0
    reconnects: int = 0
    reconnected_ns: deque[int] = field(default_factory=lambda: deque(maxlen=RECONNECTS_KEPT))  # when, the last ones
    gaps: int = 0


@dataclass(slots=True)
class FeedCounters:
    """What the feed lost or had to wait for, by name; what was recorded is counted by the recorder."""

    gaps: int = 0
    gap_ns: int = 0
    write_failures: int = 0
    last_write_failure: str | None = None
    unwritten: int = 0  # entries that the journal still refused when we had to end
    errors_told: dict[str, int] = field(default_factory=dict)  # text messages of Kite by type


class Feed:
    """Takes what sockets give, as their listener, and records it in a thread of its own."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        report: Callable[[str], None],
        queue_bytes: int = QUEUE_BYTES,
        tail: JournalTail | None = None,
        left_out: Iterable[int] = (),
        planned: Mapping[int, tuple[int, ...]] | None = None,
        on_gap: Callable[[tuple[int, ...], int, int], None] | None = None,
        missed_since: Callable[[tuple[int, ...], int], int | None] = lambda *_: None,
    ) -> None:
        self.queue = HandOver(queue_bytes)
        self.sockets: dict[int, SocketTrack] = {}
        self.counters = FeedCounters()
        self.to_journal, self.to_stream = LatencyHistogram(), LatencyHistogram()
        self._recorder, self._report, self._on_gap, self._missed_since = recorder, report, on_gap, missed_since
        self._removed = dict.fromkeys(left_out, tail.last_ns if tail else 0)  # token -> since when
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed-recorder", daemon=True)
        for socket, last_ns in (tail.last_by_socket if tail else {}).items():
            tokens = (planned or {}).get(socket, ())
            reason = "the feed was not running"
            self.sockets[socket] = SocketTrack(tokens, last_ns=last_ns, away_ns=last_ns, reason=reason)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def require_alive(self) -> None:
        """Raise FeedError when the recording thread ended by itself."""
        if not self._thread.is_alive():
            raise FeedError("the recording thread ended by itself; its trace stands above, start the feed again")

    def connected(self, socket: int, at_ns: int) -> None:
        """Note that the server accepted a socket."""
        self.queue.put(Entry(Arrival.CONNECTED, socket, at_ns))

    def subscribed(self, socket: int, tokens: tuple[int, ...], at_ns: int) -> None:
        """Note all tokens that a socket is subscribed to from now on."""
        self.queue.put(Entry(Arrival.SUBSCRIBED, socket, at_ns, tokens=tokens))

    def payload(self, socket: int, payload: bytes, received_ns: int) -> None:
        """Take a binary message, heartbeats too."""
        self.queue.put_payload(Arrival.FRAME, socket, received_ns, payload)

    def text(self, socket: int, payload: bytes, received_ns: int) -> None:
        """Take a text message."""
        self.queue.put_payload(Arrival.TEXT, socket, received_ns, payload)

    def disconnected(self, socket: int, reason: str, at_ns: int) -> None:
        """Note that an accepted socket is gone."""
        self.queue.put(Entry(Arrival.DISCONNECTED, socket, at_ns, reason.encode()))

    def announce(self, control: ControlType, content: bytes, at_ns: int) -> None:
        """Record content that becomes known while frames flow."""
        self.queue.put(Entry(Arrival.ANNOUNCED, 0, at_ns, content, control=control))

    def session_over(self, at_ns: int) -> None:
        """Note that nothing more is traded: sockets that are away do not come back, their gaps end here."""
        self.queue.put(Entry(Arrival.OVER, 0, at_ns))

    def close(self, seconds: float) -> bool:
        """Record what is held and take nothing more; return whether all of it was recorded within `seconds`."""
        self.queue.close()
        if self._thread.ident is not None:
            self._thread.join(seconds)
            self._giving_up.set()
            self._thread.join(_IDLE_SECONDS * 20)
        return not self._thread.is_alive() and self.counters.unwritten == 0

    def _run(self) -> None:
        while not self.queue.closed:
            entries = self.queue.take(_BATCH_BYTES, _IDLE_SECONDS)
            if entries:
                for entry in entries:
                    self._insist(lambda entry=entry: self._record(entry))  # type: ignore[misc]
                self._insist(self._recorder.flush)
                self._measure(entries)
                self.queue.release(entries)

    def _insist(self, write: Callable[[], None]) -> None:
        """Write, again and again while the file system refuses: the queue grows meanwhile, up to its bound."""
        while True:
            try:
                write()
            except JournalWriteFailed as error:
                self._note_refusal(error)
                if self._giving_up.wait(_REFUSED_SECONDS):
                    self.counters.unwritten += 1
                    return
                with suppress(JournalWriteFailed):  # makes room in the journal's own buffer, if it can
                    self._recorder.flush()
            else:
                return

    def _note_refusal(self, error: JournalWriteFailed) -> None:
        self.counters.write_failures += 1
        if str(error) != self.counters.last_write_failure:
            self._report(f"the journal refuses: {error}; what comes meanwhile waits in memory, bounded")
        self.counters.last_write_failure = str(error)

    def _record(self, entry: Entry) -> None:
        if entry.arrival is Arrival.OVER:
            self._end_all_gaps(entry)
            return
        track = self.sockets.setdefault(entry.socket, SocketTrack())
        if entry.arrival in (Arrival.FRAME, Arrival.TEXT):
            self._record_payload(entry, track)
        elif entry.arrival is Arrival.CONNECTED:
            self._recorder.control(ControlType.CONNECTED, received_ns=entry.at_ns, socket=entry.socket)
            if track.subscribed_ns is not None or track.away_ns is not None:
                track.reconnects += 1
                track.reconnected_ns.append(entry.at_ns)
        elif entry.arrival is Arrival.SUBSCRIBED:
            self._record_subscription(entry, track)
        elif entry.arrival is Arrival.DISCONNECTED:
            self._record_disconnection(entry, track)
        elif entry.arrival is Arrival.LOST:
            self._record_loss(entry, track)
        elif entry.control is not None:
            self._recorder.control(entry.control, received_ns=entry.at_ns, content=entry.body)

    def _record_payload(self, entry: Entry, track: SocketTrack) -> None:
        is_frame = entry.arrival is Arrival.FRAME
        heartbeat = is_frame and len(entry.body) <= HEARTBEAT_BYTES
        if track.away_ns is not None and is_frame and not (heartbeat and self._is_unsettled(entry, track)):
            self._end_gap(entry, track, track.away_ns)
            track.away_ns = None
        if is_frame:
            self._recorder.frame(entry.body, entry.at_ns, socket=entry.socket)
            track.frames += not heartbeat
            track.heartbeats += heartbeat
        else:
            self._recorder.text(entry.body, entry.at_ns, socket=entry.socket)
            track.texts += 1
            self._tell(entry)
        track.bytes += len(entry.body)
        track.last_ns = entry.at_ns

    def _is_unsettled(self, entry: Entry, track: SocketTrack) -> bool:
        return track.subscribed_ns is None or entry.at_ns - track.subscribed_ns < SETTLED_NS

    def _record_subscription(self, entry: Entry, track: SocketTrack) -> None:
        self._removed |= dict.fromkeys(set(track.tokens) - set(entry.tokens), entry.at_ns)
        if back := [token for token in entry.tokens if token in self._removed]:
            # what was traded meanwhile must not pass for volume of the first bar that they make now
            for moment in sorted({self._removed[token] for token in back}):
                tokens = [token for token in back if self._removed[token] == moment]
                self._name_gap(entry, tokens, moment, "were not subscribed meanwhile")
                for token in tokens:  # only now: what the journal refuses is tried again
                    del self._removed[token]
        self._recorder.control(
            ControlType.SUBSCRIBED,
            received_ns=entry.at_ns,
            content=orjson.dumps(entry.tokens),
            socket=entry.socket,
            mode="full",
            count=len(entry.tokens),
        )
        track.tokens, track.subscribed_ns = entry.tokens, entry.at_ns
        if track.last_ns is None:
            track.last_ns = entry.at_ns
            track.away_ns, track.reason = self._missed_since(entry.tokens, entry.at_ns), "it was not subscribed before"

    def _record_disconnection(self, entry: Entry, track: SocketTrack) -> None:
        # since when it is silent: bars of before that are closed by other sockets must be flagged as well
        known_ns = track.last_ns if track.away_ns is None else track.away_ns
        last_ns = entry.at_ns if known_ns is None else min(known_ns, entry.at_ns)
        reason = entry.body.decode()
        self._recorder.control(
            ControlType.DISCONNECTED, received_ns=entry.at_ns, socket=entry.socket, reason=reason, last_ns=last_ns
        )
        track.subscribed_ns = None
        if track.away_ns is None and track.last_ns is not None:
            track.away_ns, track.reason = last_ns, reason

    def _record_loss(self, entry: Entry, track: SocketTrack) -> None:
        since = track.last_ns if track.away_ns is None else track.away_ns
        track.reason = f"{entry.frames} payloads of {entry.body_bytes} bytes were left out: the disk is too slow"
        self._end_gap(entry, track, entry.at_ns if since is None else since)
        track.last_ns, track.away_ns = entry.at_ns, None

    def _end_all_gaps(self, entry: Entry) -> None:
        for socket, track in self.sockets.items():
            if track.away_ns is not None:
                self._end_gap(entry._replace(socket=socket), track, track.away_ns)
                track.away_ns = None

    def _end_gap(self, entry: Entry, track: SocketTrack, since_ns: int) -> None:
        since = self._name_gap(entry, list(track.tokens), since_ns, track.reason)
        track.gaps += 1
        self.counters.gaps += 1
        self.counters.gap_ns += entry.at_ns - since
        seconds = (entry.at_ns - since) / NS_PER_SECOND
        self._report(f"socket {entry.socket}: a gap of {seconds:.3f} s is recorded ({track.reason})")

    def _name_gap(self, entry: Entry, tokens: list[int], since_ns: int, reason: str) -> int:
        """Record that nothing of these tokens came until this entry; return since when."""
        since = min(since_ns, entry.at_ns)  # the clock may have been set back
        at_ns, socket = entry.at_ns, entry.socket
        self._recorder.control(
            ControlType.GAP,
            received_ns=at_ns,
            socket=socket,
            from_ns=since,
            until_ns=at_ns,
            tokens=tokens,
            reason=reason,
        )
        if self._on_gap is not None:
            self._on_gap(tuple(tokens), since, at_ns)
        return since

    def _tell(self, entry: Entry) -> None:
        """Count a text message by its type, and tell what Kite complains of; postbacks of orders are nobody's news."""
        try:
            parsed = orjson.loads(entry.body)
        except orjson.JSONDecodeError:
            parsed = None
        kind = parsed.get("type") if isinstance(parsed, dict) else None
        name = kind if kind in ("order", "error", "message") else "unknown"
        self.counters.errors_told[name] = self.counters.errors_told.get(name, 0) + 1
        if name in ("error", "message"):
            # what is nested deeply has no text that could be made of it
            said = data if isinstance(data := parsed.get("data"), str) else entry.body.decode(errors="replace")
            self._report(f"socket {entry.socket}: Kite says {said[:_SHOWN_CHARACTERS]!r}")

    def _measure(self, entries: Iterable[Entry]) -> None:
        now = elapsed_ns()
        put = np.array([entry.put_ns for entry in entries if entry.arrival is Arrival.FRAME], dtype=np.int64)
        journal_ns = self._recorder.journal_flushed_ns
        self.to_journal.add(np.maximum(journal_ns - put, 0))
        if self._recorder.counters.online:
            self.to_stream.add(now - put)
