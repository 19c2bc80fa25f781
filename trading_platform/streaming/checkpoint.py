"""The engine's state files: three are kept for a session, so that one older than what Redis holds is always there.

A file is a 32-byte header (magic, CRC-32 of what follows it, the fingerprint of the code that wrote it) and the state.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import BlockFormatError, StateNotWritten
from trading_platform.streaming.private_folder import make_private_folder

KEPT = 3

_HEADER = struct.Struct("<4sI24s")
_MAGIC = b"TPS1"
_CHECKED_FROM = 8


class StateFiles:
    """State files of one shard and session, named by the position that they reach.

    `code` names the code that computes: a state that other code left would make a session of two kinds of numbers.
    """

    def __init__(self, folder: Path, *, code: str, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._code = code.encode("ascii")[:24].ljust(24, b"\0")
        self._report = report

    def save(self, state: SessionPass) -> Path:
        """Write the state durably, then drop all but the newest; raise StateNotWritten when the disk refuses."""
        return self.write(state.position, state.save())

    def write(self, position: int, content: bytes) -> Path:
        """Do the same with a state that was taken before, in whatever thread."""
        path = self._path(position)
        scratch = path.with_suffix(".writing")
        try:
            make_private_folder(self._folder)
            self._drop_scratch()
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(self._header(content))
                file.write(content)  # apart: to join them would hold up other threads for a copy
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
            _sync_folder(self._folder)
            for old in self._newest_first()[KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise StateNotWritten(
                f"the state file {path} was not written: {error.strerror or error}; make room in its folder"
            ) from error
        return path

    def load(self, blob: Callable[[str], bytes], at_most: int) -> SessionPass | None:
        """Return the newest usable state whose position is at most `at_most`, None when there is none.

        A file that is damaged or that other code wrote is named in a report, and the next older one is taken.
        """
        for path in self._newest_first():
            if int(path.stem) > at_most:
                continue
            try:
                return SessionPass.restore(_unwrapped(path.read_bytes(), self._code), blob)
            except (BlockFormatError, OSError) as error:
                self._report(f"the state file {path} is not used, an older one or the journal is: {error}")
        return None

    def has(self, position: int) -> bool:
        """Return whether there is a file of the state at this position."""
        return self._path(position).is_file()

    def forget_beyond(self, position: int) -> None:
        """Remove states that are ahead of the outputs: what they saw may never be recorded that way again."""
        for path in self._newest_first():
            if int(path.stem) > position:
                path.unlink(missing_ok=True)

    def closed_at_ns(self) -> int | None:
        """Return when the state that says that the session is closed was written (ns since the epoch), else None."""
        for path in self._newest_first():
            try:
                closed = SessionPass.is_closed(_unwrapped(path.read_bytes(), None))
                return path.stat().st_mtime_ns if closed else None
            except (BlockFormatError, OSError) as error:
                self._report(f"the state file {path} is not used: {error}")
        return None

    def drop(self) -> None:
        """Remove all state files of the session."""
        self.forget_beyond(-1)
        self._drop_scratch()

    def _path(self, position: int) -> Path:
        return self._folder / f"{position:012d}.state"

    def _header(self, content: bytes) -> bytes:
        crc = zlib.crc32(content, zlib.crc32(self._code))
        return _HEADER.pack(_MAGIC, crc, self._code)

    def _drop_scratch(self) -> None:
        for left_over in self._folder.glob("*.writing"):  # of an engine that was killed while it wrote
            left_over.unlink(missing_ok=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self._state_files(), reverse=True)

    def _state_files(self) -> Iterator[Path]:
        return (path for path in self._folder.glob("*.state") if path.stem.isdecimal())


def _unwrapped(raw: bytes, code: bytes | None) -> bytes:
    """Return the state in a file; raise BlockFormatError for damage, or for another code than `code` (None: any)."""
    if len(raw) < _HEADER.size or raw[:4] != _MAGIC:
        raise BlockFormatError(f"it is no state file of this version: it begins with {raw[:4]!r}")
    _, crc, wrote = _HEADER.unpack_from(raw)
    if zlib.crc32(raw[_CHECKED_FROM:]) != crc:
        raise BlockFormatError("its checksum does not fit its content: it is damaged")
    if code is not None and wrote != code:
        raise BlockFormatError("another version of the calculations wrote it")
    return raw[_HEADER.size :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
