"""How a backup's files are written: for this user alone, synced, hashed, compressed or linked to the backup before."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

from trading_platform.errors import BackupDamaged
from trading_platform.storage.backup.manifest import Manifest, StoredFile
from trading_platform.storage.journal_segments import FILE_MODE, FOLDER_MODE, sync_folder, write_all

CHUNK_BYTES = 4 * 1024 * 1024
PACKED_SUFFIX = ".zst"
_LEVEL = 3


class BackupWriter:
    """The files of one backup that is being made, and what each of them holds.

    Files that never change after they are written are linked to those of the backup before when size and time of
    change are the same: a year of journals is then read once, not every evening.
    """

    def __init__(self, folder: Path, before: tuple[Path, Manifest] | None = None) -> None:
        self.folder = folder
        self.files: dict[str, StoredFile] = {}
        self._before_folder = before[0] if before else None
        self._before = {one.path: one for one in before[1].files} if before else {}

    def store(self, path: str, chunks: Iterable[bytes], *, packed: bool, changed_ns: int | None = None) -> StoredFile:
        """Write content under a name, compressed when it is `packed`."""
        stored = f"{path}{PACKED_SUFFIX}" if packed else path
        raw, kept = _Digest(), _Digest()
        target = self.place(stored)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            for chunk in _compressed(raw.passing(chunks)) if packed else raw.passing(chunks):
                write_all(handle, kept.add(chunk))
            os.fsync(handle)
        finally:
            os.close(handle)
        return self._keep(path, stored, raw, kept, changed_ns)

    def store_file(self, path: str, source: Path, *, packed: bool, immutable: bool) -> StoredFile:
        """Write a copy of a file; one that is `immutable` is linked to the backup before when it is the same."""
        with source.open("rb") as file:
            status = os.fstat(file.fileno())
            linked = self.link(path, status) if immutable else None
            return linked or self.store(path, chunks_of(source), packed=packed, changed_ns=status.st_mtime_ns)

    def link(self, path: str, status: os.stat_result) -> StoredFile | None:
        """Take a file over from the backup before, None when that has not the same one."""
        held = self._before.get(path)
        if held is None or self._before_folder is None:
            return None
        if (held.bytes, held.changed_ns) != (status.st_size, status.st_mtime_ns):
            return None
        try:
            os.link(self._before_folder / held.stored, self.place(held.stored))
        except OSError:  # another file system, or gone: then it is copied
            return None
        self.files[path] = held
        return held

    def adopt(self, path: str) -> StoredFile:
        """Take up a file that was written in place."""
        digest = _Digest()
        for _ in digest.passing(chunks_of(self.folder / path)):
            pass
        with (self.folder / path).open("rb+") as file:
            os.fsync(file.fileno())
        return self._keep(path, path, digest, digest, None)

    def drop(self, path: str) -> None:
        """Remove what was begun under a name."""
        self.files.pop(path, None)
        (self.folder / f"{path}{PACKED_SUFFIX}").unlink(missing_ok=True)

    def place(self, stored: str) -> Path:
        """Return where a file goes, with its folders made."""
        target = self.folder / stored
        make_private(target.parent)
        return target

    def sync(self) -> None:
        """Make the names of all files durable."""
        for folder, _, _ in os.walk(self.folder):
            sync_folder(Path(folder))

    def _keep(self, path: str, stored: str, raw: "_Digest", kept: "_Digest", changed_ns: int | None) -> StoredFile:
        self.files[path] = StoredFile(
            path=path,
            stored=stored,
            bytes=raw.bytes,
            sha256=raw.hex(),
            stored_bytes=kept.bytes,
            stored_sha256=kept.hex(),
            changed_ns=changed_ns,
        )
        return self.files[path]


class _Digest:
    """The sha256 and the size of what passes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.bytes = 0

    def add(self, chunk: bytes) -> bytes:
        self._hash.update(chunk)
        self.bytes += len(chunk)
        return chunk

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield self.add(chunk)

    def hex(self) -> str:
        return self._hash.hexdigest()


def make_private(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for this user only."""
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=FOLDER_MODE, exist_ok=True)


def chunks_of(path: Path) -> Iterator[bytes]:
    """Read a file in pieces."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = _Digest()
    for chunk in chunks_of(path):
        digest.add(chunk)
    return digest.hex()


def content_of(folder: Path, file: StoredFile) -> Iterator[bytes]:
    """Read what a file of a backup holds; raise BackupDamaged at its end when that is not what was put in."""
    raw, kept = _Digest(), _Digest()
    source = kept.passing(chunks_of(folder / file.stored))
    try:
        for chunk in _unpacked(source) if file.is_packed else source:
            raw.add(chunk)
            if raw.bytes > file.bytes:
                break
            yield chunk
    except zstandard.ZstdError as error:
        raise BackupDamaged(f"{file.stored} cannot be unpacked: {error}") from None
    if (raw.bytes, raw.hex()) != (file.bytes, file.sha256) or kept.hex() != file.stored_sha256:
        raise BackupDamaged(f"{file.stored} is not what was written: its sha256 differs from the manifest's")


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    for chunk in chunks:
        yield unpacker.decompress(chunk)
