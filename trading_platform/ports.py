"""What the rooms ask of the outside, as small protocols: a room gets an object handed in, never another room."""

from datetime import date
from typing import Protocol

import polars as pl

from trading_platform.wire.journal_records import RecordBatch


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


