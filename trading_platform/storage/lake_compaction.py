"""Compact the lake: many small files of a session become one, and files that nobody can read any more are removed.

A session is rewritten each time it is materialised, so most of the room is taken by files that a later commit replaced.
Those stay for some days: a reader, or a backup that is under way, still reads what it opened. A finished backup needs
none of them, it holds copies of its own.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from trading_platform.errors import LakeError
from trading_platform.storage.lake import Lake, active_files
from trading_platform.wire.lake_tables import SESSION, TABLES

LEAST_KEPT = timedelta(hours=24)
"""No backup and no reader works longer on what it opened."""

MOST_KEPT = timedelta(days=7)
"""Checkpoints forget later than that when a file was replaced."""

_LOG = "_delta_log"


@dataclass(frozen=True, slots=True)
class Size:
    """Files and bytes of a table on the disk, without its log."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TableCompaction:
    """What became of one table; `kept_files` are replaced ones that somebody may still read."""

    table: str
    before: Size
    after: Size
    compacted_sessions: int
    removed_files: int
    kept_files: int
    trouble: str | None = None


def compact_lake(
    root: Path, *, keep: timedelta, tables: Sequence[str] = (), dry_run: bool = False
) -> list[TableCompaction]:
    """Compact the named tables, or all; what keeps one from it is its `trouble`, the others are compacted.

    Writers go on: a session is held while its files are put together, and none is removed that a version of the time
    `keep` holds. A second run changes nothing. Raise LakeError for what cannot be asked for.
    """
    if not LEAST_KEPT <= keep <= MOST_KEPT:
        raise LakeError(f"replaced files are kept for 1 to 7 days, not for {keep}; readers may still need them")
    if unknown := [name for name in tables if name not in TABLES]:
        raise LakeError(f"the lake has no table {', '.join(unknown)}; its tables are {', '.join(TABLES)}")
    lake = Lake(root)
    chosen = [name for name in TABLES if not tables or name in tables]
    return [_compact_table(lake, Path(root) / name, keep, dry_run=dry_run) for name in chosen]


def _compact_table(lake: Lake, folder: Path, keep: timedelta, *, dry_run: bool) -> TableCompaction:
    name, before = folder.name, _size(folder)
    compacted = removed = kept = 0
    trouble = None
    try:
        table = lake.open_table(name)
        if table is not None:
            sessions = _scattered(table)
            compacted = len(sessions) if dry_run else sum(_compact_session(lake, name, one) for one in sessions)
            removed, kept = _remove_unread(lake, folder, keep, dry_run=dry_run)
            if not dry_run and (compacted or removed):
                _shorten_log(lake, folder)
    except (LakeError, DeltaError, OSError) as error:
        trouble = f"{name}: {error}"
    return TableCompaction(name, before, _size(folder), compacted, removed, kept, trouble)


def _scattered(table: DeltaTable) -> list[date]:
    """Return the sessions whose rows lie in several files."""
    counted = Counter(unquote(Path(path).parent.name) for path in active_files(table))
    return sorted(date.fromisoformat(part.removeprefix(f"{SESSION}=")) for part, files in counted.items() if files > 1)


def _compact_session(lake: Lake, name: str, session: date) -> bool:
    """Put the files of a session together; False when there was nothing to do, or a writer came first."""
    with lake.held(name, session):
        table = lake.open_table(name)
        if table is None:
            return False
        try:
            done = table.optimize.compact(partition_filters=[(SESSION, "=", str(session))])
        except CommitFailedError:  # somebody writes without the lock: those rows stand, the next run compacts them
            return False
        return bool(done["numFilesRemoved"])


def _remove_unread(lake: Lake, folder: Path, keep: timedelta, *, dry_run: bool) -> tuple[int, int]:
    """Remove files that no version of the last days holds; return how many, and how many dead ones stay for readers.

    What a commit replaced within `keep` stays, however old it is, and what was written within `keep` and may be part of
    a commit to come.
    """
    table = lake.open_table(folder.name)
    if table is None:
        return 0, 0
    hours = int(keep.total_seconds()) // 3600
    # in full, because a checkpoint forgets replaced files; asked first, because even an empty vacuum is a commit
    gone = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
    if gone and not dry_run:
        gone = table.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
    on_disk = sum(1 for _ in _data_files(folder))
    dead = on_disk - len(active_files(table))
    return len(gone), dead - (len(gone) if dry_run else 0)


def _shorten_log(lake: Lake, folder: Path) -> None:
    """Write a checkpoint of this version, so that opening the table does not read every commit."""
    table = lake.open_table(folder.name)
    if table is None:
        return
    if not (folder / _LOG / f"{table.version():020}.checkpoint.parquet").exists():
        table.create_checkpoint()
    table.cleanup_metadata()


def _data_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.parquet"):
        if _LOG not in path.parts:
            yield path


def _size(folder: Path) -> Size:
    sizes: list[int] = []
    for path in _data_files(folder) if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # somebody else compacts too
            sizes.append(path.stat().st_size)
    return Size(len(sizes), sum(sizes))
