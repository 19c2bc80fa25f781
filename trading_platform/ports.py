"""What the rooms ask of the outside, as small protocols: a room gets an object handed in, never another room."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import redis

from trading_platform.wire.candle_block import Candle
from trading_platform.wire.journal_records import ControlType, RecordBatch
from trading_platform.wire.records import Rows

if TYPE_CHECKING:  # who only speaks of a port need not load tables and kernels
    import polars as pl

    from trading_platform.calc.session_pass import Produced, SessionPass


class RecordSource(Protocol):
    """Records of one shard and session, in order."""

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        """Return records numbered from `after + 1` on without a gap; empty when none came in `wait_seconds`."""

    def blob(self, sha256: str) -> bytes:
        """Return the content that a control record names; raise MissingBlob."""


class RecordJournal(Protocol):
    """The journal of one shard and session, as its one writer uses it; all but `sync` from one thread at a time."""

    @property
    def last_number(self) -> int:
        """Return the number of the last appended record, 0 before the first."""

    @property
    def last_received_ns(self) -> int:
        """Return the receive time of the last appended record."""

    @property
    def flushed_number(self) -> int:
        """Return the number of the last record that is in the file."""

    def append(self, kind: int, body: bytes, received_ns: int, *, socket: int = 0) -> bytes:
        """Give a record the next number and return it as it is written down."""

    def append_encoded(self, records: RecordBatch) -> None:
        """Take over records that continue the journal."""

    def flush(self) -> None:
        """Write what was appended; raise JournalWriteFailed, after which it can be repeated."""

    def sync(self) -> None:
        """Make what was flushed durable."""

    def put_blob(self, content: bytes) -> str:
        """Store content that a control record will name; return its sha256."""


class RecordHistory(Protocol):
    """The same journal, read."""

    def read(self, after: int, max_bytes: int) -> RecordBatch:
        """Return records numbered from `after + 1` on without a gap; empty when there are none."""

    def window_start(self, max_bytes: int) -> int:
        """Return the first number of about the last `max_bytes` of records, 1 when there are fewer."""

    def blobs(self) -> list[str]:
        """Return the hashes of all content beside the segments."""

    def blob(self, sha256: str) -> bytes:
        """Return the content with this hash; raise MissingBlob."""


class StoreConnector(Protocol):
    """Where connections to Redis come from."""

    def connect(self) -> redis.Redis:
        """Return a client; raise StoreUnavailable."""


class TableStore(Protocol):
    """Tables of the lake, each partitioned by session."""

    def write_session(self, table: str, session: date, rows: "pl.DataFrame") -> int:
        """Replace the rows of one session; return how many were written."""

    def read_sessions(self, table: str, sessions: list[date]) -> "pl.DataFrame":
        """Return the rows of these sessions; raise MissingInput naming sessions that hold none."""

    def sessions(self, table: str) -> list[date]:
        """Return the sessions that hold rows, ascending."""

    def counts(self, table: str) -> dict[date, int]:
        """Return how many rows each session holds."""


@dataclass(frozen=True, slots=True)
class LivePosition:
    """How far a session's live outputs reach: the last record, what was written up to it, and whether more may come.

    `last_closed` is the end of the last closed five-minute interval, seconds since the epoch; `received_ns` is the
    receive time of the last record, None where nothing says it.
    """

    record: int
    features_digest: str
    bars: int
    indicators: int
    signals: int
    last_closed: int
    closed: bool
    received_ns: int | None = None


class LiveOutputs(Protocol):
    """What the engine wrote for a session while it ran."""

    def position(self, session: date) -> LivePosition | None:
        """Return how far the outputs reach, None when nothing of the session is held."""

    def read_bars(self, session: date) -> tuple[Rows, Rows]:
        """Return all rows of bars and of indicators, in the order in which they were written."""

    def read_signals(self, session: date) -> Rows:
        """Return all rows of signals, in the order in which they were written."""


class BlockPublisher(Protocol):
    """Where the recorder finds the blocks that it announces to the engine."""

    def publish_block(self, family: str, content: bytes) -> str:
        """Make `content` the current block of a family (baseline or seeds); return its sha256."""


class FrameSink(Protocol):
    """Where whoever has frames hands them in, in the order in which they arrived."""

    def frame(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:
        """Take one websocket payload, heartbeats too; return its record number."""

    def control(
        self, control: ControlType, /, *, received_ns: int, content: bytes | None = None, socket: int = 0, **fields: Any
    ) -> int:
        """Take what is known beside payloads; `content` is stored under its sha256, which the record then names."""

    def flush(self) -> None:
        """Make what was handed in visible to readers."""


@dataclass(frozen=True, slots=True)
class HeldOutputs:
    """What the outputs of a session say of themselves: the record that they reach, their digests, and whether whole."""

    record: int
    digests: dict[str, str]
    closed: bool
    whole: bool
    """Whether the streams hold as many entries as the position says were written."""
    of_this_journal: bool | None = True
    """False: they were computed from another journal of the session; None: the journal has no first record to tell."""


class EngineOutputs(Protocol):
    """Where the engine of one shard and session writes."""

    def held(self) -> HeldOutputs | None:
        """Return how far the outputs reach, None when there are none; raise StoreUnavailable."""

    def write(self, state: "SessionPass", produced: "Produced") -> None:
        """Write what a batch gave and the position that it reaches, all or nothing; raise StoreUnavailable."""

    def reset(self) -> None:
        """Forget all outputs of the session, to be written again from its first record."""


@dataclass(frozen=True, slots=True)
class SessionContents:
    """What a session's opening records name; a block that does not exist for this session is not announced."""

    settings: bytes
    hours: bytes
    instruments: bytes
    seeds: bytes | None
    baseline: bytes | None

    @property
    def named(self) -> tuple[tuple[ControlType, bytes], ...]:
        """Return the records and their contents in the order that the engine relies on."""
        given = (
            (ControlType.SETTINGS, self.settings),
            (ControlType.SESSION_TABLE, self.hours),
            (ControlType.INSTRUMENTS, self.instruments),
            (ControlType.SEEDS, self.seeds),
            (ControlType.BASELINE, self.baseline),
        )
        return tuple((control, content) for control, content in given if content is not None)


class Timepiece(Protocol):
    """What tells the time of a running session; `market.clock.Clock` is one."""

    @property
    def rate(self) -> float:
        """Return how many of its seconds pass in a real one."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""

    def today(self) -> date:
        """Return the calendar date in the exchanges' zone."""

    def real_seconds_until(self, target_ns: int) -> float:
        """Return how many real seconds pass until it shows `target_ns`; never negative."""

    def hear(self, told: bytes) -> None:
        """Take note of what a ping on a socket told; most go by themselves."""


@dataclass(frozen=True, slots=True)
class FetchedCandles:
    """What came for one instrument, and how many of its candles could not be read."""

    candles: tuple[Candle, ...]
    unreadable: int = 0


class CandleSource(Protocol):
    """Where the exchange's one-minute candles of the present session come from."""

    def minute_candles(self, token: int, begin: int, end: int) -> FetchedCandles:
        """Return the candles that start from `begin` up to but not including `end` (seconds since the epoch).

        Raise AccessRefused, RequestRefused or BrokerError.
        """


class SocketListener(Protocol):
    """Who hears what the sockets of a feed do; called from the thread of each socket, and never slow."""

    def connected(self, socket: int, at_ns: int) -> None:
        """Note that the server accepted a socket."""

    def subscribed(self, socket: int, tokens: tuple[int, ...], at_ns: int) -> None:
        """Note all tokens that a socket is subscribed to from now on."""

    def payload(self, socket: int, payload: bytes, received_ns: int) -> None:
        """Take a binary message, heartbeats too."""

    def text(self, socket: int, payload: bytes, received_ns: int) -> None:
        """Take a text message."""

    def disconnected(self, socket: int, reason: str, at_ns: int) -> None:
        """Note that an accepted socket is gone."""


@dataclass(frozen=True, slots=True)
class SocketStatus:
    """What a socket is doing and did so far; `quiet_seconds` is real time since its last payload, None without one."""

    socket: int
    state: str
    tokens: int
    connects: int
    failures: int
    messages_sent: int
    quiet_seconds: float | None
    last_ending: str | None


class MarketSocket(Protocol):
    """One socket that connects, subscribes and reconnects by itself."""

    @property
    def status(self) -> SocketStatus:
        """Return what it is doing."""

    def start(self) -> None:
        """Begin to connect, in a thread of its own."""

    def watch(self) -> None:
        """End a connection that is stuck within one message; raise FeedError when the thread ended by itself."""

    def add(self, tokens: tuple[int, ...]) -> None:
        """Subscribe more tokens."""

    def remove(self, tokens: tuple[int, ...]) -> None:
        """Unsubscribe tokens."""

    def stop(self) -> None:
        """Disconnect, and do not connect again."""

    def join(self, seconds: float) -> bool:
        """Wait until the thread ended; return whether it did."""
