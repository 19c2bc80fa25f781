"""Bring a dump file's text into memory: plain or gzip, cut off or whole, never more than a dump can be."""

import zlib
from dataclasses import dataclass
from pathlib import Path

from trading_platform.errors import BadFileError

MAX_TEXT_BYTES = 512 * 1024 * 1024
"""Many times what the largest dump has; more is a gzip bomb or another file."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class DumpText:
    """The bytes of a dump, what is wrong with the file after them, and whether they end where the dump did not."""

    content: bytes
    damage: str | None = None
    cut: bool = False


def read_text(path: Path) -> DumpText:
    """Read `path`, unpacked if it is gzip; raise BadFileError if it cannot be used as a whole.

    What stands before the end of a cut-off gzip file is kept and the damage named. One that fails its checksum may be
    wrong anywhere, so nothing of it is kept.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error.strerror}") from error
    if raw.startswith(_GZIP_MAGIC):
        return _unpack(path, raw)
    if path.suffix == ".gz":
        raise BadFileError(f"{path} is named .gz and is not gzip (begins with {raw[:8]!r}); fetch it again")
    if len(raw) > MAX_TEXT_BYTES:
        raise BadFileError(f"{path} has {len(raw)} bytes, more than a dump can have ({MAX_TEXT_BYTES})")
    return DumpText(raw)


def _unpack(path: Path, raw: bytes) -> DumpText:
    parts: list[bytes] = []
    size = 0
    rest = raw
    # gzip members may follow each other, and zeros may pad the end
    while rest.startswith(_GZIP_MAGIC):
        member = zlib.decompressobj(_GZIP_WBITS)
        while not member.eof:
            try:
                piece = member.decompress(rest, _PIECE)
            except zlib.error as error:
                raise BadFileError(f"{path} is damaged ({error}): any row may be wrong, fetch it again") from error
            rest = member.unconsumed_tail
            size += len(piece)
            if size > MAX_TEXT_BYTES:
                raise BadFileError(f"{path} unpacks to more than {MAX_TEXT_BYTES} bytes: this is no dump")
            parts.append(piece)
            if not piece and not rest and not member.eof:
                return DumpText(b"".join(parts), f"gzip ends early, after {size} bytes of text", cut=True)
        rest = member.unused_data
    if rest.strip(b"\0"):
        return DumpText(b"".join(parts), f"{len(rest)} bytes after the end of the gzip data are not gzip")
    return DumpText(b"".join(parts))
