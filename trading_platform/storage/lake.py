"""Delta tables, one per kind of row, partitioned by session: one writer at a time for each table and session."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from trading_platform.errors import LakeError, MissingInput
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage.lake_parts import Parts
from trading_platform.wire.lake_tables import SESSION, TABLES, Table, table_named

COMMIT_ATTEMPTS = 5
LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.05


class Lake:
    """The tables of `wire.lake_tables` below one root: a folder, or the URL of an object store.

    A URL needs `lock_dir`, a folder that all its writers share; `options` are those of the store (deltalake's names).
    """

    def __init__(
        self,
        root: Path | str,
        *,
        lock_dir: Path | None = None,
        options: dict[str, str] | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> None:
        self.root = str(root)
        self._options = options
        self._lock_wait_ns = int(lock_wait_seconds * NS_PER_SECOND)
        if lock_dir is None and "://" in self.root:
            raise LakeError(f"the lake at {self.root} is no folder: name a lock_dir that all its writers share")
        self._lock_dir = lock_dir or Path(self.root) / "_locks"

    def create_tables(self) -> None:
        """Create every table that is not there yet; raise LakeError for one that has other columns."""
        for table in TABLES.values():
            self._ensure(table)

    def write_session(self, table: str, session: date, rows: pl.DataFrame) -> int:
        """Replace the rows of one session, all or nothing; return how many were written."""
        described = table_named(table)
        conformed = described.conform(rows)
        _refuse_other_sessions(table, session, conformed)
        with self.held(table, session):
            self._ensure(described)
            self._commit(table, session, _to_utc(conformed))
        return conformed.height

    def write_session_in_pieces(self, table: str, session: date, pieces: Iterator[pl.DataFrame]) -> int:
        """Replace the rows of one session by pieces that need not fit into memory together; return their rows.

        Each piece becomes a file; readers see the old rows until the last is written.
        """
        described = table_named(table)
        with self._locked(f"{table}-{session}"):
            self._ensure(described)
            parts = Parts(self._uri(table), session)
            try:
                for piece in pieces:
                    conformed = described.conform(piece)
                    _refuse_other_sessions(table, session, conformed)
                    parts.add(_to_utc(conformed))
                parts.commit()
            except CommitFailedError as error:
                raise LakeError(
                    f"{table} of {session} was not written, another writer stood in the way: {error}; run this again"
                ) from error
            except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
                raise LakeError(f"{table} of {session} was not written, the old rows stand: {error}") from error
            finally:
                parts.remove_uncommitted()
        return parts.rows

    def read_sessions(self, table: str, sessions: list[date]) -> pl.DataFrame:
        """Return the rows of these sessions; raise MissingInput naming sessions that hold none."""
        described = table_named(table)
        if not sessions:
            return described.schema.to_frame()
        scan = self._scan(table)
        chosen = pl.col(SESSION).is_in(sessions)
        rows = described.schema.to_frame() if scan is None else described.conform(scan.filter(chosen).collect())
        held = set(rows[SESSION].unique())
        if missing := sorted(set(sessions) - held):
            raise MissingInput(
                f"table {table} holds nothing of {', '.join(map(str, missing))}; materialise {table} for them first"
            )
        return rows

    def scan(self, table: str) -> pl.LazyFrame:
        """Return all rows as they are stored, to be read in part; moments are UTC."""
        described = table_named(table)
        scan = self._scan(table)
        return _to_utc(described.schema.to_frame()).lazy() if scan is None else scan

    def sessions(self, table: str) -> list[date]:
        """Return the sessions that hold rows, ascending."""
        found = self._open(table_named(table).name)
        if found is None:
            return []
        return sorted({date.fromisoformat(part[SESSION]) for part in found.partitions() if part[SESSION]})

    def counts(self, table: str) -> dict[date, int]:
        """Return how many rows each session holds, from the table's log alone; sessions without rows are left out."""
        return self._sums(table, "num_records")

    def stored_bytes(self, table: str) -> dict[date, int]:
        """Return how many bytes the files of each session have."""
        return self._sums(table, "size_bytes")

    def version(self, table: str) -> int | None:
        """Return the number of the table's last commit, None before it is created."""
        found = self._open(table_named(table).name)
        return None if found is None else found.version()

    def open_table(self, table: str) -> DeltaTable | None:
        """Return a table as it is now, None before it is created; raise LakeError for one that cannot be read."""
        return self._open(table_named(table).name)

    @contextmanager
    def held(self, table: str, session: date) -> Iterator[None]:
        """Keep every other writer from a table's session meanwhile; raise LakeError when one does not finish."""
        with self._locked(f"{table}-{session}"):
            yield

    def _sums(self, table: str, column: str) -> dict[date, int]:
        found = self._open(table_named(table).name)
        files = None if found is None else pl.DataFrame(found.get_add_actions(flatten=True))
        if files is None or not files.height:
            return {}
        sums = files.group_by(f"partition.{SESSION}").agg(pl.col(column).sum())
        return {_as_date(key): int(total) for key, total in sums.iter_rows() if key is not None and total}

    def _commit(self, table: str, session: date, rows: pl.DataFrame) -> None:
        for attempt in range(1, COMMIT_ATTEMPTS + 1):
            try:
                # opening it anew is the re-reading without which a conflict must not be retried
                target = DeltaTable(self._uri(table), storage_options=self._options)
                write_deltalake(target, rows, mode="overwrite", predicate=f"{SESSION} = '{session}'")
            except CommitFailedError as error:
                if attempt == COMMIT_ATTEMPTS:
                    raise LakeError(
                        f"{table} of {session} was not written: {attempt} conflicts with another writer ({error}); "
                        "find who writes the same session without the lock, then run this again"
                    ) from error
            except (DeltaError, OSError) as error:
                raise LakeError(f"{table} of {session} was not written, the old rows stand: {error}") from error
            else:
                return

    def _ensure(self, table: Table) -> None:
        found = self._open(table.name)
        if found is None:
            with self._locked(f"{table.name}-create"):
                found = self._open(table.name) or self._create(table)
        if missing := _lacking(table, found):
            with self._locked(f"{table.name}-create"):
                self._widen(table, missing)

    def _widen(self, table: Table, missing: pl.Schema) -> None:
        """Give an older table the columns that this version has beyond its own; old rows are null there."""
        found = self._open(table.name)
        if found is None or not _lacking(table, found):
            return
        try:
            found.alter.add_columns(Schema.from_arrow(missing).fields)
        except DeltaError as error:
            raise LakeError(f"table {table.name} cannot be given {', '.join(missing)}: {error}") from error

    def _create(self, table: Table) -> DeltaTable:
        if "://" not in self.root:
            _make_folder(Path(self.root))
        write_deltalake(
            self._uri(table.name),
            _to_utc(table.schema.to_frame()),
            partition_by=[SESSION],
            mode="ignore",
            name=table.name,
            description=table.about,
            storage_options=self._options,
        )
        return DeltaTable(self._uri(table.name), storage_options=self._options)

    def _open(self, table: str) -> DeltaTable | None:
        try:
            return DeltaTable(self._uri(table), storage_options=self._options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise LakeError(f"table {table} at {self._uri(table)} cannot be opened: {error}") from error

    def _scan(self, table: str) -> pl.LazyFrame | None:
        found = self._open(table)
        if found is None:
            return None
        unknown = [pl.lit(None, dtype).alias(name) for name, dtype in _lacking(table_named(table), found).items()]
        return pl.scan_delta(found).with_columns(unknown)

    def _uri(self, table: str) -> str:
        return f"{self.root.rstrip('/')}/{table}"

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        _make_folder(self._lock_dir)
        with (self._lock_dir / f"{name}.lock").open("ab") as lock:
            self._wait_for(name, lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
            yield

    def _wait_for(self, name: str, take: Callable[[], None]) -> None:
        deadline = elapsed_ns() + self._lock_wait_ns
        while True:
            try:
                take()
            except BlockingIOError:
                if elapsed_ns() > deadline:
                    raise LakeError(
                        f"another process writes {name} in the lake at {self.root} and did not finish; wait for it or "
                        "stop it, then run this again"
                    ) from None
                pause(_LOCK_POLL_SECONDS)
            else:
                return


def active_files(table: DeltaTable) -> list[str]:
    """Return the files that hold a table's rows at its version, below its folder, sorted."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    return sorted(unquote(path) for path in actions["path"].to_list())


def _as_date(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _to_utc(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.selectors.datetime().dt.convert_time_zone("UTC"))


def _lacking(table: Table, found: DeltaTable) -> pl.Schema:
    """Return which columns a table lacks that an older version wrote; raise LakeError where it has others."""
    # compare as a frame of no rows: the file format knows no zones and no unsigned numbers
    held, wanted = pl.scan_delta(found).collect_schema(), _to_utc(table.schema.to_frame()).schema
    if any(wanted.get(name) != dtype for name, dtype in held.items()):
        raise LakeError(
            f"table {table.name} at {found.table_uri} has other columns than this version of the platform; "
            "move it away, or run the version that wrote it"
        )
    return pl.Schema({name: dtype for name, dtype in wanted.items() if name not in held})


def _refuse_other_sessions(table: str, session: date, rows: pl.DataFrame) -> None:
    if not rows.height:
        return
    others = rows.filter(pl.col(SESSION).ne_missing(session))[SESSION].unique().sort()
    if len(others):
        raise LakeError(f"rows of {others[0]} were given for the partition {session} of {table}; write them apart")


def _make_folder(path: Path) -> None:
    """Create a folder, and those above it that are missing, for this user only."""
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LakeError(f"{path} cannot be made: {error.strerror or error}; mend that, or choose another") from error
