"""Which backups there are, which of them are good, and which retention lets go."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from trading_platform.errors import BackupDamaged, BackupError, BackupRunning, HalfBackup
from trading_platform.market.clock import IST
from trading_platform.storage.backup.manifest import UNFINISHED, Manifest, read_manifest

LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Listed:
    """One folder: its manifest when it is a backup, else why it is none."""

    folder: Path
    manifest: Manifest | None
    trouble: str | None

    @property
    def is_good(self) -> bool:
        """Return whether it is finished and all of its files are there with their sizes; contents are not read."""
        return self.manifest is not None and self.trouble is None


def list_backups(root: Path) -> list[Listed]:
    """Return all backups below a folder, oldest first, half and damaged ones too."""
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    return [_look(folder) for folder in folders]


def newest_good(root: Path) -> tuple[Path, Manifest] | None:
    """Return the newest good backup, None when there is none."""
    for one in reversed(list_backups(root)):
        if one.is_good and one.manifest is not None:
            return one.folder, one.manifest
    return None


def kept(moments: Iterable[datetime], *, days: int, weeks: int) -> set[datetime]:
    """Return which backups to keep: the newest of each of the last `days` days and `weeks` weeks that have one."""
    newest_of_day: dict[date, datetime] = {}
    newest_of_week: dict[tuple[int, int], datetime] = {}
    ordered = sorted(moments)
    for moment in ordered:
        local = moment.astimezone(IST)
        newest_of_day[local.date()] = moment
        newest_of_week[local.isocalendar()[:2]] = moment
    by_day = [newest_of_day[day] for day in sorted(newest_of_day)[-days:]]
    by_week = [newest_of_week[week] for week in sorted(newest_of_week)[-weeks:]] if weeks else []
    return {*by_day, *by_week, *ordered[-1:]}


def prune(root: Path, *, days: int, weeks: int) -> list[Path]:
    """Remove backups that retention lets go and those that were never finished; return them, oldest first.

    Raise BackupRunning while one is being made. Damaged backups are left for a person to look at.
    """
    if not root.is_dir():
        return []
    with locked(root):
        listed = list_backups(root)
        good = {one.manifest.made_at: one for one in listed if one.is_good and one.manifest}
        keep = kept(good, days=days, weeks=weeks)
        gone = [one.folder for moment, one in good.items() if moment not in keep]
        gone += [one.folder for one in listed if one.folder.name.endswith(UNFINISHED)]
        for folder in gone:
            _remove(folder)
        return sorted(gone)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep every other process from making or removing backups meanwhile; raise BackupRunning when one does."""
    handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BackupRunning(f"another process makes or removes backups in {root}; wait until it has finished") from None
    else:
        yield
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    try:
        if not folder.name.endswith(UNFINISHED):
            # a removal that is interrupted must not leave what looks like a backup
            folder = folder.rename(folder.with_name(f"{folder.name}{UNFINISHED}"))
        shutil.rmtree(folder)
    except OSError as error:
        raise BackupError(f"{folder} cannot be removed: {error.strerror}; mend its rights") from error


def _look(folder: Path) -> Listed:
    try:
        manifest = read_manifest(folder)
    except HalfBackup:
        return Listed(folder, None, "half: it was never finished")
    except (BackupDamaged, BackupError) as error:
        return Listed(folder, None, str(error))
    return Listed(folder, manifest, _missing(folder, manifest))


def _missing(folder: Path, manifest: Manifest) -> str | None:
    for file in manifest.files:
        try:
            size = (folder / file.stored).stat().st_size
        except OSError as error:
            return f"damaged: {file.stored} cannot be found ({error.strerror})"
        if size != file.stored_bytes:
            return f"damaged: {file.stored} has {size} bytes instead of {file.stored_bytes}"
    return None
