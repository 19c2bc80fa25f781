"""Answers on disk until they are in the lake: a backfill that is killed loses no more than its last few seconds.

Sessions of the lake are written whole, so an answer at a time would write each of them thousands of times over.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl

from trading_platform.batch.backfill_answers import Answer
from trading_platform.errors import BackfillRunning, LakeError
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import BACKFILL_ACCOUNT, HISTORICAL_BARS, SESSION, Table

_BARS, _ACCOUNT = "bars", "account"
_LOCK = "lock"
_NAME = ["symbol", "segment"]
_POLL_SECONDS = 0.2


class Pieces:
    """A folder of answers; each piece is two files, and counts once the second, its account, is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[Answer] = []

    @property
    def folder(self) -> Path:
        """Return where the answers are."""
        return self._folder

    @contextmanager
    def locked(self, wait_seconds: float) -> Iterator[None]:
        """Keep other backfills away; raise BackfillRunning when one does not end in time."""
        _make_folder(self._folder)
        with (self._folder / _LOCK).open("ab") as lock:
            until = elapsed_ns() + int(wait_seconds * NS_PER_SECOND)
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if elapsed_ns() >= until:
                        raise BackfillRunning(
                            f"another backfill works in {self._folder}: wait for its end, or stop it"
                        ) from None
                    pause(_POLL_SECONDS)
            yield

    def add(self, answer: Answer) -> None:
        """Take an answer; it is on disk after the next `flush`."""
        self._held.append(answer)

    @property
    def waiting(self) -> int:
        """Return how many answers are not on disk yet."""
        return len(self._held)

    def flush(self) -> None:
        """Put the answers that were taken on disk."""
        if not self._held:
            return
        number = max((int(path.name.split(".")[0]) for path in self._accounts()), default=0) + 1
        for kind, frames in (
            (_BARS, [one.bars for one in self._held]),
            (_ACCOUNT, [one.account for one in self._held]),
        ):
            unfinished = self._path(number, kind).with_suffix(".part")
            unfinished.touch(mode=0o600)
            pl.concat(frames).write_parquet(unfinished)
            unfinished.replace(self._path(number, kind))
        self._held.clear()

    def settle(self, lake: TableStore) -> dict[date, int]:
        """Bring what is on disk into the lake, then remove it; return the candles of each session that it was about.

        Killed in between, it does the same again and changes nothing.
        """
        accounts = self._accounts()
        if not accounts:
            return {}
        account = _read(accounts, BACKFILL_ACCOUNT)
        files = [self._path(int(path.name.split(".")[0]), _BARS) for path in accounts]
        written = {}
        for session in account[SESSION].unique().sort().to_list():
            told = account.filter(pl.col(SESSION) == session).unique(_NAME, keep="last", maintain_order=True)
            bars = _read(files, HISTORICAL_BARS, session).join(told.select(_NAME), on=_NAME, how="semi")
            bars = bars.unique([*_NAME, "start"], keep="last", maintain_order=True)
            written[session] = bars.height
            # the bars first: an account without bars would keep a session from being asked for again
            for table, rows in ((HISTORICAL_BARS, bars), (BACKFILL_ACCOUNT, told)):
                _merge(lake, table, session, rows, told)
        for path in accounts:
            path.unlink()
        for path in files:
            path.unlink()
        return written

    def _accounts(self) -> list[Path]:
        return sorted(self._folder.glob(f"*.{_ACCOUNT}.parquet")) if self._folder.is_dir() else []

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number:08d}.{kind}.parquet"


def _merge(lake: TableStore, table: Table, session: date, rows: pl.DataFrame, told: pl.DataFrame) -> None:
    """Replace the rows of the instruments that `told` names; those of others stay."""
    is_held = session in lake.counts(table.name)
    if is_held:
        kept = lake.read_sessions(table.name, [session]).join(told.select(_NAME), on=_NAME, how="anti")
        rows = pl.concat([kept, rows])
    if rows.height or is_held:
        lake.write_session(table.name, session, rows)


def _read(files: list[Path], table: Table, session: date | None = None) -> pl.DataFrame:
    try:
        rows = pl.scan_parquet(files)
        return (rows if session is None else rows.filter(pl.col(SESSION) == session)).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LakeError(
            f"answers in {files[0].parent} for table {table.name} cannot be read ({error}): remove the folder, and "
            "they are asked for again"
        ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LakeError(f"{folder} cannot be made: {error.strerror or error}; mend that") from error
