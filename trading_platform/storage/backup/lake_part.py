"""The lake in a backup: each Delta table at one version, its files and its log up to there."""

import hashlib
import re
from pathlib import Path

import orjson
import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from trading_platform.errors import BackupError
from trading_platform.storage.backup.layout import BackupWriter, file_digest
from trading_platform.storage.backup.manifest import TableSummary
from trading_platform.storage.lake import active_files

PART = "lake"
_LOG = "_delta_log"
_LAST_CHECKPOINT = "_last_checkpoint"
_ATTEMPTS = 3
_VERSION = re.compile(r"(\d{20})\.")


def store_lake(root: Path, writer: BackupWriter) -> tuple[TableSummary, ...]:
    """Copy every table at the version that it has now; one that is compacted meanwhile is begun again."""
    return tuple(_store_table(folder.parent, root, writer) for folder in sorted(root.glob(f"*/{_LOG}")))


def summarise(folder: Path, name: str, digests: dict[str, str] | None = None) -> TableSummary:
    """Open a table and digest the files of its version; `digests` are those that are known, by path in the table."""
    try:
        table = DeltaTable(str(folder))
        version, paths = table.version(), active_files(table)
        rows = pl.scan_delta(table).select(pl.len()).collect().item()
    except (DeltaError, pl.exceptions.PolarsError) as error:
        raise BackupError(f"table {name} in {folder} cannot be read: {error}") from error
    known = digests or {}
    lines = [f"{path} {known.get(path) or file_digest(folder / path)}\n" for path in paths]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return TableSummary(table=name, version=version, rows=rows, files=len(paths), digest=digest)


def _store_table(folder: Path, root: Path, writer: BackupWriter) -> TableSummary:
    name = folder.relative_to(root).as_posix()
    place = f"{PART}/{name}"
    for _ in range(_ATTEMPTS):
        try:
            table = DeltaTable(str(folder))
            files = active_files(table)
            for path in [*files, *_log_files(folder, table.version())]:
                if f"{place}/{path}" not in writer.files:
                    writer.store_file(f"{place}/{path}", folder / path, packed=False, immutable=True)
        except FileNotFoundError:  # compacted or cleaned since it was opened
            continue
        except DeltaError as error:
            raise BackupError(f"table {name} in {root} cannot be opened: {error}; mend or move it away") from error
        digests = {path: writer.files[f"{place}/{path}"].sha256 for path in files}
        return summarise(writer.folder / place, name, digests)
    raise BackupError(f"the files of table {name} in {root} vanish while they are copied; is something removing them?")


def _log_files(folder: Path, version: int) -> list[str]:
    """Return the log up to a version; what was committed later stays out."""
    found = []
    for entry in sorted((folder / _LOG).iterdir()):
        number = _VERSION.match(entry.name)
        if number and int(number[1]) <= version and not entry.name.endswith(".tmp"):
            found.append(f"{_LOG}/{entry.name}")
    pointer = folder / _LOG / _LAST_CHECKPOINT
    if pointer.exists() and orjson.loads(pointer.read_bytes())["version"] <= version:
        found.append(f"{_LOG}/{_LAST_CHECKPOINT}")
    return found
