"""The files of one session of a Delta table, written one by one and committed together."""

import uuid
from datetime import date
from pathlib import Path

import orjson
import polars as pl
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from trading_platform.errors import LakeError
from trading_platform.market.clock import Clock
from trading_platform.wire.lake_tables import SESSION

_ROWS_A_GROUP = 131_072
_NS_PER_MS = 1_000_000


class Parts:
    """Writes files beside those of the table; nobody reads them before `commit`, which replaces the session's rows."""

    def __init__(self, uri: str, session: date) -> None:
        if "://" in uri:
            raise LakeError(f"{uri} is no folder, and only there a session can be written in pieces; use a folder")
        self.rows = 0
        self._root, self._session = Path(uri), session
        self._added: list[AddAction | RemoveAction] = []
        self._committed = False

    def add(self, rows: pl.DataFrame) -> None:
        """Write a file of rows; none for no rows."""
        if not rows.height:
            return
        path = self._root / f"{SESSION}={self._session}" / f"part-{uuid.uuid4()}.zstd.parquet"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        rows.drop(SESSION).write_parquet(path, compression="zstd", row_group_size=_ROWS_A_GROUP)
        self._added.append(
            AddAction(
                path=path.relative_to(self._root).as_posix(),
                size=path.stat().st_size,
                partition_values={SESSION: str(self._session)},
                modification_time=Clock.wall().now_ns() // _NS_PER_MS,
                data_change=True,
                stats=orjson.dumps({"numRecords": rows.height}).decode(),
            )
        )
        self.rows += rows.height

    def commit(self) -> None:
        """Make the files the rows of the session, in one transaction."""
        table = DeltaTable(str(self._root))
        table.create_write_transaction(
            self._added,
            mode="overwrite",
            schema=table.schema(),
            partition_by=[SESSION],
            partition_filters=[(SESSION, "=", str(self._session))],
        )
        self._committed = True

    def remove_uncommitted(self) -> None:
        """Take away what was written and not committed."""
        if not self._committed:
            for one in self._added:
                (self._root / one.path).unlink(missing_ok=True)
