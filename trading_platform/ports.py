"""What the rooms ask of the outside, as small protocols: a room gets an object handed in, never another room."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

from trading_platform.wire.journal_records import RecordBatch
from trading_platform.wire.records import Rows


class RecordSource(Protocol):
    """Records of one shard and session, in order."""

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        """Return records numbered from `after + 1` on without a gap; empty when none came in `wait_seconds`."""

    def blob(self, sha256: str) -> bytes:
        """Return the content that a control record names; raise MissingBlob."""


class TableStore(Protocol):
    """Tables of the lake, each partitioned by session."""

    def write_session(self, table: str, session: date, rows: pl.DataFrame) -> int:
        """Replace the rows of one session; return how many were written."""

    def read_sessions(self, table: str, sessions: list[date]) -> pl.DataFrame:
        """Return the rows of these sessions; raise MissingInput naming sessions that hold none."""

    def sessions(self, table: str) -> list[date]:
        """Return the sessions that hold rows, ascending."""


@dataclass(frozen=True, slots=True)
class LivePosition:
    """How far a session's live outputs reach: the last record, what was written up to it, and whether more may come.

    `last_closed` is the end of the last closed five-minute interval, seconds since the epoch.
    """

    record: int
    features_digest: str
    bars: int
    indicators: int
    signals: int
    last_closed: int
    closed: bool


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
