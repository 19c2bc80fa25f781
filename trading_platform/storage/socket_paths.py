"""Where a unix socket lies: beside what it belongs to, or where its path is short enough for the system."""

import hashlib
import os
import tempfile
from pathlib import Path

from trading_platform.errors import StoreUnavailable

PATH_LIMIT = 100
"""Bytes; the systems allow 104 (macOS) and 108 (Linux), with a final zero."""


def socket_path(folder: Path, name: str, *, limit: int = PATH_LIMIT) -> Path:
    """Return a path in `folder`, or in a short folder of this user alone; raise StoreUnavailable."""
    beside = folder / name
    if len(os.fsencode(beside)) <= limit:
        return beside
    short = Path(tempfile.gettempdir()) / f"trading-platform-{os.getuid()}"
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or not short.is_dir() or short.is_symlink():
        raise StoreUnavailable(f"{short} must be a folder of this user alone; remove it, or use a shorter data folder")
    return short / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:20]}{Path(name).suffix}"
