"""Read a whole backup again and name everything that is not what its manifest says."""

import os
from datetime import date
from pathlib import Path

from trading_platform.errors import BackupDamaged
from trading_platform.storage.backup.journal_part import PART as JOURNAL
from trading_platform.storage.backup.journal_part import summarise
from trading_platform.storage.backup.layout import content_of
from trading_platform.storage.backup.manifest import MANIFEST, Manifest, StoredFile, read_manifest


def check_backup(folder: Path) -> tuple[Manifest, list[str]]:
    """Return the manifest and every fault: files that are missing, changed or unknown, journals that read otherwise.

    Raise HalfBackup, BackupDamaged or BackupError when there is no manifest that can be trusted.
    """
    manifest = read_manifest(folder)
    faults = [fault for file in manifest.files if (fault := _fault(folder, file))]
    faults += _strangers(folder, manifest)
    if not faults:  # a damaged file was named already
        faults += _journals(folder, manifest)
    return manifest, faults


def _fault(folder: Path, file: StoredFile) -> str | None:
    try:
        for _ in content_of(folder, file):
            pass
    except BackupDamaged as error:
        return str(error)
    except OSError as error:
        return f"{file.stored} cannot be read: {error.strerror}"
    return None


def _strangers(folder: Path, manifest: Manifest) -> list[str]:
    known = {file.stored for file in manifest.files} | {MANIFEST}
    faults = []
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place) / name
            relative = path.relative_to(folder).as_posix()
            if name in names and relative not in known:
                faults.append(f"{relative} is not in the manifest")
            if path.lstat().st_mode & 0o077:
                faults.append(f"{relative} can be read by others: make it private (chmod go-rwx)")
    if folder.stat().st_mode & 0o077:
        faults.append(f"{folder} can be read by others: make it private (chmod go-rwx)")
    return faults


def _journals(folder: Path, manifest: Manifest) -> list[str]:
    faults = []
    for one in manifest.journals:
        found = summarise(folder / JOURNAL, one.shard, date.fromisoformat(one.session))
        if found != one:
            faults.append(f"journal {one.shard}/{one.session} does not read as it did when it was stored")
    return faults
