"""Restore a backup into an empty place: everything is checked first, written beside it, compared, then moved there."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from trading_platform.errors import BackupDamaged, BackupError, PlatformError
from trading_platform.storage.backup import journal_part, lake_part
from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.dagster_part import check_database
from trading_platform.storage.backup.layout import content_of, file_digest, make_private
from trading_platform.storage.backup.manifest import MANIFEST, Manifest, StoredFile
from trading_platform.storage.backup.redis_import import Imported, exported_keys, import_keys
from trading_platform.storage.backup.redis_part import EXPORT
from trading_platform.storage.backup.redis_part import PART as REDIS
from trading_platform.storage.journal_segments import sync_folder, write_durably
from trading_platform.storage.redis_manager import RedisManager

RESTORING = ".restoring"
ABOUT = "restored"
VALKEY = "valkey"
"""Where a data folder has its embedded server."""

_COMPARED_BY_READING = {journal_part.PART, lake_part.PART}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One part: what the backup says of it, and what the restored place says."""

    part: str
    backup: str
    restored: str
    same: bool


def restore_backup(folder: Path, into: Path, now_ns: int) -> list[Comparison]:
    """Restore into a folder that does not exist or is empty; return what was compared.

    Where something differs, everything stays in `INTO.restoring` and nothing is at `into`.
    """
    manifest, faults = check_backup(folder)
    if faults:
        raise BackupDamaged(f"{folder} is damaged and nothing was restored: {'; '.join(faults)}; use another backup")
    scratch = _claim(folder, into)
    try:
        compared = _restore(folder, manifest, scratch, now_ns)
        if all(one.same for one in compared):
            scratch.rename(into)
            sync_folder(into.absolute().parent)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        what = error.filename or scratch
        raise BackupError(f"nothing was restored: {what}: {error.strerror}; free space or mend its rights") from error
    except PlatformError:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return compared


def _claim(folder: Path, into: Path) -> Path:
    """Make the folder to write in; refuse a place that holds something."""
    place, source = into.absolute(), folder.absolute()
    if source == place or source in place.parents:
        raise BackupError(f"{into} lies in the backup itself; name another place")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise BackupError(f"{into} is not empty; name a folder that is empty or does not exist")
    scratch = place.with_name(f"{place.name}{RESTORING}")
    if scratch.exists():
        raise BackupError(f"{scratch} is left of a restore that did not end well; look at it, remove it, try again")
    try:
        make_private(scratch)
    except OSError as error:
        raise BackupError(f"{scratch} cannot be made: {error.strerror}; name another place") from error
    return scratch


def _restore(folder: Path, manifest: Manifest, scratch: Path, now_ns: int) -> list[Comparison]:
    for file in manifest.files:
        part = _part(file)
        if part != REDIS:
            _put(folder, file, scratch / (file.path if part else f"{ABOUT}/{file.path}"))
    make_private(scratch / ABOUT)
    write_durably(scratch / ABOUT / MANIFEST, (folder / MANIFEST).read_bytes())
    compared = [*_journals(manifest, scratch), *_tables(manifest, scratch), *_files(manifest, scratch)]
    return [*compared, *_redis(folder, manifest, scratch, now_ns)]


def _part(file: StoredFile) -> str:
    """Return the folder that a file belongs to, empty for what lies beside them."""
    return file.path.split("/", 1)[0] if "/" in file.path else ""


def _put(folder: Path, file: StoredFile, target: Path) -> None:
    make_private(target.parent)
    target.touch(mode=0o600)
    with target.open("wb") as out:
        out.writelines(content_of(folder, file))


def _journals(manifest: Manifest, scratch: Path) -> list[Comparison]:
    compared = []
    for one in manifest.journals:
        found = journal_part.summarise(scratch / journal_part.PART, one.shard, date.fromisoformat(one.session))
        said = [f"{each.records:,} records, {each.digest[:12]}" for each in (one, found)]
        compared.append(Comparison(f"journal {one.shard}/{one.session}", said[0], said[1], found == one))
    return compared


def _tables(manifest: Manifest, scratch: Path) -> list[Comparison]:
    compared = []
    for one in manifest.tables:
        found = lake_part.summarise(scratch / lake_part.PART / one.table, one.table)
        said = [f"version {each.version}, {each.rows:,} rows, {each.digest[:12]}" for each in (one, found)]
        compared.append(Comparison(f"table {one.table}", said[0], said[1], found == one))
    return compared


def _files(manifest: Manifest, scratch: Path) -> list[Comparison]:
    """Compare what has no reader of its own by its bytes; Dagster's databases are opened too."""
    compared = []
    for part in sorted({_part(file) for file in manifest.files} - {*_COMPARED_BY_READING, REDIS, ""}):
        files = [file for file in manifest.files if _part(file) == part]
        wrong = [file.path for file in files if file_digest(scratch / file.path) != file.sha256]
        for file in files:
            fault = check_database(scratch / file.path) if file.path.endswith(".db") else None
            wrong += [fault] if fault else []
        compared.append(Comparison(part, f"{len(files)} files", "; ".join(wrong) or f"{len(files)} files", not wrong))
    return compared


def _redis(folder: Path, manifest: Manifest, scratch: Path, now_ns: int) -> list[Comparison]:
    export = manifest.file(EXPORT)
    if manifest.redis is None or export is None:
        return []
    manager = RedisManager(None, scratch / VALKEY)
    try:
        done = import_keys(manager.connect(), exported_keys(content_of(folder, export)), now_ns)
    finally:
        manager.stop_server()
    return [_told(manifest.redis.keys, done)]


def _told(keys: int, done: Imported) -> Comparison:
    parts = [f"{done.same:,} keys the same"]
    parts += [f"{done.expired:,} expired since"] if done.expired else []
    parts += [f"different: {', '.join(done.different[:5])}"] if done.different else []
    same = not done.different and done.same + done.expired == keys
    return Comparison("Redis", f"{keys:,} keys", ", ".join(parts), same)
