"""Dagster's storage in a backup: each SQLite database as of one moment, while its owner goes on writing."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from trading_platform.errors import BackupError
from trading_platform.storage.backup.layout import BackupWriter, chunks_of

PART = "dagster"
CONFIGURATION = "dagster.yaml"

_BUSY_SECONDS = 30.0
_SECRET = re.compile(
    # `env:` names a variable, and holds nothing
    r"(?im)^\s*(password|secret|token|\w*_url|\w*_key)\s*:\s*(?!\{?\s*env\s*:)[^\s#]|://[^/\s]*:[^/\s]*@"
)
_ELSEWHERE = re.compile(r"(?im)^\s*(postgres|mysql|storage|run_storage|event_log_storage|schedule_storage)\s*:")


def store_dagster(home: Path, writer: BackupWriter, notes: list[str]) -> int:
    """Copy the databases and the configuration; return how many databases there are."""
    if not home.is_dir():
        notes.append(f"there is no Dagster home at {home}")
        return 0
    _store_configuration(home / CONFIGURATION, writer, notes)
    count = 0
    for path in sorted(home.rglob("*.db")):
        count += _store_database(path, f"{PART}/{path.relative_to(home).as_posix()}", writer)
    return count


def check_database(path: Path) -> str | None:
    """Return what SQLite finds wrong with a database, None when it is whole."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return f"{path.name}: {error}"
    return None if verdict == "ok" else f"{path.name}: {verdict}"


def _store_configuration(path: Path, writer: BackupWriter, notes: list[str]) -> None:
    if not path.is_file():
        return
    content = path.read_text(encoding="utf-8")
    if _ELSEWHERE.search(content):
        notes.append(f"{path} names a storage of its own: back that up with its own tools (for example pg_dump)")
    if _SECRET.search(content):
        notes.append(f"{path} is not included: it may hold a password; give passwords as env: names instead")
        return
    writer.store_file(f"{PART}/{CONFIGURATION}", path, packed=False, immutable=False)


def _store_database(path: Path, name: str, writer: BackupWriter) -> int:
    """Store one database; 0 when it was removed meanwhile."""
    scratch = writer.place(f"{name}.copying")
    scratch.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)) as source,
            closing(sqlite3.connect(scratch)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        writer.store(name, chunks_of(scratch), packed=True)
    except sqlite3.Error as error:
        if not path.exists():
            return 0
        raise BackupError(
            f"no backup was made: {path} cannot be copied: {error}; free space, stop what locks it, or mend it"
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    return 1
