"""Where a journal's files are and how a segment begins: names, modes, the header, and what damage is called.

A journal is the folder `<root>/<shard>/<YYYYMMDD>/` with segments `000001.journal` (raw records behind a header) or
`000001.journal.zst` (the same, packed in blocks), `blobs/<sha256>`, `lock`, and what repairs have set aside.
"""

import os
import re
import struct
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryFile

from trading_platform.errors import JournalDamaged, JournalError, JournalWriteFailed

SEGMENT_HEADER_BYTES = 64
FILE_MODE = 0o600
FOLDER_MODE = 0o700

_HEADER = struct.Struct("<4sHHIIQ36sI")
_MAGIC = b"TPJS"
_VERSION = 1
_SEGMENT_NAME = re.compile(r"(\d{6,9})\.journal(\.zst)?")
_SHARD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,35}")


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment says of itself."""

    shard: str
    session: date
    segment: int
    first_number: int


@dataclass(frozen=True, slots=True)
class Segment:
    """The files of one segment; both are there for a moment while it is being packed, and the raw one counts."""

    number: int
    raw: Path | None
    packed: Path | None

    @property
    def path(self) -> Path:
        """Return the file to read."""
        path = self.raw or self.packed
        assert path is not None  # noqa: S101  # list_segments makes them from a file that exists
        return path


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that cannot be read, and the record numbers that are missing for it."""

    segment: int
    offset: int
    length: int
    first_missing: int
    last_missing: int | None  # None: everything from first_missing on, as far as this segment went
    reason: str

    def __str__(self) -> str:
        """Say it in one line."""
        if self.last_missing is None:
            missing = f"records from {self.first_missing} on are missing"
        elif self.last_missing < self.first_missing:
            missing = "no record is missing"
        else:
            missing = f"records {self.first_missing} to {self.last_missing} are missing"
        return f"segment {self.segment:06d} at byte {self.offset}, {self.length} bytes: {self.reason}; {missing}"


def journal_folder(root: Path, shard: str, session: date) -> Path:
    """Return the folder of a journal; refuse a shard name that is no plain word."""
    if not _SHARD_NAME.fullmatch(shard):
        raise JournalError(f"shard name {shard!r} must be letters, digits, - and _, 36 at most")
    return root / shard / f"{session:%Y%m%d}"


def journal_sessions(root: Path, shard: str) -> list[date]:
    """Return the sessions for which a shard has a journal, ascending."""
    folder = root / shard
    if not folder.is_dir():
        return []
    names = [entry.name for entry in folder.iterdir() if re.fullmatch(r"\d{8}", entry.name) and entry.is_dir()]
    found = (_date_of(name) for name in names)
    return sorted(session for session in found if session is not None)


def list_segments(folder: Path) -> list[Segment]:
    """Return the segments of a journal, in order."""
    files: dict[int, dict[str, Path]] = {}
    for entry in folder.iterdir() if folder.is_dir() else ():
        match = _SEGMENT_NAME.fullmatch(entry.name)
        if match:
            files.setdefault(int(match[1]), {})["packed" if match[2] else "raw"] = entry
    return [Segment(number, found.get("raw"), found.get("packed")) for number, found in sorted(files.items())]


def raw_path(folder: Path, number: int) -> Path:
    """Return the file of an open segment."""
    return folder / f"{number:06d}.journal"


def identity_path(folder: Path) -> Path:
    """Return the file that tells a journal from every other of the same session, which may begin with equal records."""
    return folder / "identity"


def encode_segment_header(header: SegmentHeader) -> bytes:
    """Write the header that stands before a segment's records."""
    shard = header.shard.encode()
    session = int(f"{header.session:%Y%m%d}")
    fields = (_MAGIC, _VERSION, len(shard), session, header.segment, header.first_number, shard)
    return _HEADER.pack(*fields, zlib.crc32(_HEADER.pack(*fields, 0)[:-4]))


def decode_segment_header(raw: bytes) -> SegmentHeader:
    """Read a segment's header; raise JournalDamaged for anything else."""
    if len(raw) < SEGMENT_HEADER_BYTES:
        raise JournalDamaged(f"a segment header has {SEGMENT_HEADER_BYTES} bytes, here are {len(raw)}")
    magic, version, length, session, segment, first, shard, crc = _HEADER.unpack_from(raw)
    if magic != _MAGIC or crc != zlib.crc32(raw[: SEGMENT_HEADER_BYTES - 4]):
        raise JournalDamaged(f"not a journal segment, or its header is damaged: begins with {raw[:8]!r}")
    day = _date_of(str(session))
    if version != _VERSION or day is None:
        raise JournalDamaged(f"segment format {version} is not known here; read it with the version that wrote it")
    return SegmentHeader(shard[:length].decode("ascii", "replace"), day, segment, first)


def make_folder(path: Path) -> None:
    """Create a folder, and those above it that are missing, for this user only."""
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise write_failed(path, error) from error


def require_writable(root: Path, shard: str) -> None:
    """Raise JournalWriteFailed when a shard's journals cannot be written below `root`; nothing is left behind."""
    folder = root / shard
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise write_failed(folder, error) from error


def sync_folder(path: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, *parts: bytes) -> None:
    """Put a whole file in place: temporary file, sync, rename, sync of the folder; or raise JournalWriteFailed."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        try:
            for part in parts:
                write_all(handle, part)
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_failed(path, error) from error


def write_all(handle: int, content: bytes) -> None:
    """Write all of `content`, however many calls it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def read_at(handle: int, offset: int, size: int) -> bytes:
    """Read `size` bytes from `offset`, fewer at the end of the file."""
    parts = []
    while size > 0:
        part = os.pread(handle, min(size, 1 << 30), offset)
        if not part:
            break
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return b"".join(parts)


def write_failed(path: Path, error: OSError) -> JournalWriteFailed:
    """Name a write that the file system refused, and what to do about it."""
    return JournalWriteFailed(
        f"cannot write {path}: {error.strerror} (errno {error.errno}); nothing that was recorded is lost: "
        "free space or make the folder writable, then try again"
    )


def _date_of(digits: str) -> date | None:
    try:
        return date.fromisoformat(digits) if len(digits) == 8 else None
    except ValueError:
        return None
