"""Make a backup, from what is derived to what it derives from, so that nothing in it refers to what came later.

Dagster's storage comes first, then the lake, then Redis, and the journal last: a materialisation that Dagster names is
in the lake, a record that Redis refers to is in the journal.
"""

import shutil
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from trading_platform import __version__
from trading_platform.errors import BackupError, BackupRunning, PlatformError
from trading_platform.storage.backup.catalogue import locked, newest_good
from trading_platform.storage.backup.dagster_part import store_dagster
from trading_platform.storage.backup.journal_part import store_journals
from trading_platform.storage.backup.lake_part import store_lake
from trading_platform.storage.backup.layout import BackupWriter, make_private
from trading_platform.storage.backup.manifest import (
    FORMAT,
    MANIFEST,
    UNFINISHED,
    Manifest,
    RedisSummary,
    encode_manifest,
)
from trading_platform.storage.backup.redis_part import store_redis
from trading_platform.storage.backup.sources import Sources
from trading_platform.storage.journal_segments import sync_folder, write_durably

SETTINGS = "settings.json"

_NEVER_INCLUDED = (
    "state files of the engine: they are computed again from the journal",
    "logs, and what processes print",
    "tokens of logins, and what the feed and the engine say of themselves",
)
_BEING_WRITTEN = {".tmp", ".part", ".unfinished", ".lock"}
_PACKED_ALREADY = {".gz", ".zst", ".parquet"}


@dataclass
class _Found:
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def make_backup(sources: Sources, root: Path, moment: datetime, *, fresh: bool = False) -> tuple[Path, Manifest]:
    """Make a backup below `root` and return its folder; raise BackupError when it cannot be, with nothing left behind.

    A `fresh` one is copied whole; else files that never change are linked to those of the newest one.
    """
    name = f"{moment:%Y%m%d-%H%M%S}"
    unfinished = root / f"{name}{UNFINISHED}"
    try:
        make_private(root)
        with locked(root):
            return _made(sources, root, name, moment, fresh=fresh)
    except (OSError, sqlite3.Error) as error:
        _give_back(unfinished)
        what = getattr(error, "filename", None) or unfinished
        why = getattr(error, "strerror", None) or error
        raise BackupError(
            f"no backup was made: {what}: {why}; free space or mend its rights, then try again"
        ) from error
    except BackupRunning:
        raise
    except PlatformError:
        _give_back(unfinished)
        raise


def _made(sources: Sources, root: Path, name: str, moment: datetime, *, fresh: bool) -> tuple[Path, Manifest]:
    folder, unfinished = root / name, root / f"{name}{UNFINISHED}"
    if folder.exists() or unfinished.exists():
        raise BackupRunning(f"{folder} was begun in this very second; try again")
    unfinished.mkdir(mode=0o700)
    writer = BackupWriter(unfinished, None if fresh else newest_good(root))
    manifest = _stored(sources, writer, name, moment)
    writer.sync()
    # last: what has no manifest was never finished
    write_durably(unfinished / MANIFEST, encode_manifest(manifest))
    unfinished.rename(folder)
    sync_folder(root)
    return folder, manifest


def _stored(sources: Sources, writer: BackupWriter, name: str, moment: datetime) -> Manifest:
    found = _Found()
    databases = store_dagster(sources.dagster_home, writer, found.notes)
    for part, folder in sources.plain.items():
        _store_folder(part, folder, writer)
    writer.store(SETTINGS, [orjson.dumps(dict(sources.settings), option=orjson.OPT_INDENT_2)], packed=False)
    tables = store_lake(sources.lake, writer)
    redis = _redis(sources, writer, found)
    journals = store_journals(sources.journals, writer, found.faults)
    last = {f"{one.shard}/{one.session}": one.last for one in journals}
    for session, reached in (redis.positions if redis else {}).items():
        if reached > last.get(session, 0):
            found.faults.append(
                f"Redis is at record {reached} of {session}, but the journal ends with {last.get(session, 0)}"
            )
    return Manifest(
        format=FORMAT,
        name=name,
        made_at=moment,
        platform=__version__,
        files=tuple(writer.files.values()),
        journals=journals,
        tables=tables,
        redis=redis,
        dagster_databases=databases,
        not_included=(*(f"secret setting {one}" for one in sources.secrets), *_NEVER_INCLUDED),
        notes=tuple(found.notes),
        faults=tuple(found.faults),
    )


def _store_folder(name: str, folder: Path, writer: BackupWriter) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in _BEING_WRITTEN:
            place = f"{name}/{path.relative_to(folder).as_posix()}"
            writer.store_file(place, path, packed=path.suffix not in _PACKED_ALREADY, immutable=True)


def _redis(sources: Sources, writer: BackupWriter, found: _Found) -> RedisSummary | None:
    if sources.redis is None:
        found.notes.append("Redis was left out: its outputs can be computed again from the journal")
        return None
    return store_redis(sources.redis, sources.journals, writer, notes=found.notes, faults=found.faults)


def _give_back(unfinished: Path) -> None:
    """Free the space of what was not finished."""
    shutil.rmtree(unfinished, ignore_errors=True)
