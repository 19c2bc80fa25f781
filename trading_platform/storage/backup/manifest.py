"""The manifest of a backup: every file with sizes and sha256, what each part holds, and a digest of itself.

It is written last: a folder without one is half a backup, which is none.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from trading_platform.errors import BackupDamaged, BackupError, HalfBackup

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
FORMAT = 1


def _relative(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in text or str(path) != text:
        raise ValueError("must be a path below the backup")
    return text


RelativePath = Annotated[str, AfterValidator(_relative)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredFile(_Frozen):
    """One file: where its content belongs in a data folder, where it lies here, and what both are."""

    path: RelativePath
    stored: RelativePath
    bytes: Count
    sha256: Sha256
    stored_bytes: Count
    stored_sha256: Sha256
    changed_ns: int | None = None
    """When the source was changed last; None for what was not copied from one file."""

    @property
    def is_packed(self) -> bool:
        """Return whether the content is compressed."""
        return self.stored != self.path


class JournalSummary(_Frozen):
    """One session's journal: its records, a digest over all of them, and what is wrong with it."""

    shard: str
    session: str
    records: Count
    first: Count
    last: Count
    digest: Sha256
    faults: tuple[str, ...]


class TableSummary(_Frozen):
    """One Delta table at one version: its files' digest covers each file's name and content."""

    table: RelativePath
    version: Count
    rows: Count
    files: Count
    digest: Sha256


class RedisSummary(_Frozen):
    """What Redis held: keys by type, the digest of the export, and how far the outputs of each session reached."""

    keys: Count
    by_type: dict[str, int]
    digest: Sha256
    point_in_time: bool
    """Whether all keys are of one moment; else each key for itself."""
    snapshot_bytes: Count | None
    """Size of the server's own snapshot; None when the server gave none."""
    positions: dict[str, int]


class Manifest(_Frozen):
    """All that a backup says of itself; `notes` are facts, `faults` are what was set aside or does not fit."""

    format: int
    name: str
    made_at: AwareDatetime
    platform: str
    files: tuple[StoredFile, ...]
    journals: tuple[JournalSummary, ...]
    tables: tuple[TableSummary, ...]
    redis: RedisSummary | None
    dagster_databases: Count
    not_included: tuple[str, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Return the size of all content before compression."""
        return sum(file.bytes for file in self.files)

    @property
    def stored_bytes(self) -> int:
        """Return the size of all files, those that are shared with other backups too."""
        return sum(file.stored_bytes for file in self.files)

    def file(self, path: str) -> StoredFile | None:
        """Return the file with this content, None when there is none."""
        return next((one for one in self.files if one.path == path), None)


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest down, with a digest of itself."""
    said = manifest.model_dump(mode="json")
    return orjson.dumps({**said, "digest": _digest(said)}, option=orjson.OPT_INDENT_2)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup; raise HalfBackup without one, BackupDamaged when it is not what was written."""
    if not folder.is_dir():
        raise BackupError(f"{folder} is no folder; `trading-platform backup list` names the backups")
    path = folder / MANIFEST
    if folder.name.endswith(UNFINISHED) or not path.exists():
        raise HalfBackup(
            f"{folder} is half a backup, which is none: it was never finished. Use another one; "
            "`trading-platform backup prune` removes it"
        )
    try:
        said: dict[str, Any] = orjson.loads(path.read_bytes())
        told = said.pop("digest", None) if isinstance(said, dict) else None
        manifest = Manifest.model_validate(said)
    except (ValidationError, orjson.JSONDecodeError) as error:
        raise BackupDamaged(
            f"{path} is damaged and cannot be read ({type(error).__name__}); use another backup"
        ) from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}; mend its rights, or use another backup") from error
    if told != _digest(manifest.model_dump(mode="json")):
        raise BackupDamaged(f"{path} is damaged: its digest is not that of its content; use another backup")
    if manifest.format != FORMAT:
        raise BackupError(f"{path} has format {manifest.format}; restore it with the version that made it")
    return manifest


def _digest(said: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
