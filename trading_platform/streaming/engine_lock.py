"""One engine a shard and session: a lock beside its state files, which the system frees when the process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading_platform.errors import EngineIsRunning, StateNotWritten
from trading_platform.streaming.private_folder import make_private_folder


@contextmanager
def engine_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the session whose state files lie in `folder`; raise EngineIsRunning when another has it."""
    path = folder.with_suffix(".lock")
    try:
        make_private_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateNotWritten(f"the lock {path} cannot be made: {error.strerror}; make its folder writable") from error
    try:
        _take(handle, path)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        raise EngineIsRunning(
            f"process {holder} is the engine of this shard and session (it holds {path}): stop it first, or choose "
            "another shard"
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
