"""Look at the disk: room, how the journal grows, and the newest backup."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

from trading_platform.errors import JournalError
from trading_platform.health.checks_host import BACKUP_GRACE, BackupFacts, DiskFacts
from trading_platform.market.clock import NS_PER_SECOND, to_ns
from trading_platform.storage.backup.catalogue import list_backups
from trading_platform.storage.journal import JournalReader, journal_folder, journal_sessions

LEAST_SECONDS = 5.0
"""A journal younger than this says nothing of how fast it grows."""

PAST_SESSIONS = 3


def look_at_disk(data_dir: Path, root: Path, shard: str, *, now_ns: int, today: date) -> DiskFacts:
    """Return room where the data is, or will be, and how the journal grows."""
    folder = data_dir.absolute()
    usage = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.is_dir()))
    sessions = journal_sessions(root, shard)
    past = [_size(journal_folder(root, shard, one)) for one in sessions if one < today][-PAST_SESSIONS:]
    if today not in sessions:
        return DiskFacts(usage.free, usage.total, past_session_bytes=max(past, default=None))
    return DiskFacts(
        usage.free,
        usage.total,
        session_bytes=_size(journal_folder(root, shard, today)),
        grown_in_seconds=_grown_in_seconds(root, shard, today, now_ns),
        past_session_bytes=max(past, default=None),
    )


def look_at_backups(
    folder: Path, sessions: list[date], *, now_ns: int, ends_ns: Callable[[date], int | None]
) -> BackupFacts:
    """Return the newest good backup, and the sessions that ended since; half a backup is none."""
    listed = list_backups(folder)
    good = [one.manifest for one in listed if one.is_good and one.manifest is not None]
    made = to_ns(good[-1].made_at) if good else None
    grace = int(BACKUP_GRACE.total_seconds()) * NS_PER_SECOND
    ends = [end for end in map(ends_ns, sessions) if end is not None and end + grace <= now_ns]
    missing = sum(made is None or end > made for end in ends)
    problem = f"{listed[-1].folder.name}: {listed[-1].trouble}" if listed and not good else None
    return BackupFacts(made, missing, bool(sessions), problem)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # packed since it was listed
            continue
    return total


def _grown_in_seconds(root: Path, shard: str, session: date, now_ns: int) -> float | None:
    reader = JournalReader(root, shard, session)
    try:
        first = reader.read(0, 1)
    except JournalError:
        return None
    finally:
        reader.close()
    if not len(first):
        return None
    seconds = (now_ns - int(first.table["received_ns"][0])) / NS_PER_SECOND
    return seconds if seconds >= LEAST_SECONDS else None
