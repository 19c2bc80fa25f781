"""The ledger on disk: append-only, fsynced before and behind every write, read back after a kill."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trading_platform.errors import MigrationFileDamaged, MigrationLocked, MigrationRefused
from trading_platform.migration.ledger_records import FIRST_SUM, LedgerEntry, ledger_line, read_ledger_line
from trading_platform.storage.backup.layout import make_private

LEDGER = "ledger.jsonl"
_MODE = 0o600


class Ledger:
    """What a migration wrote; `written` maps each target that stands to the line that tells of it."""

    def __init__(self, folder: Path, servers: dict[str, str]) -> None:
        """Open the ledger of a folder; raise MigrationRefused when it is of other servers, or damaged."""
        self.path = folder / LEDGER
        self.written: dict[str, int] = {}
        self.unsettled: dict[str, LedgerEntry] = {}
        self.staged: dict[str, None] = {}
        self._lines = 0
        self._size = 0
        self._writing_line = 0
        self._sum = FIRST_SUM
        self._servers = servers
        self._handle: int | None = None
        self._load(servers)

    @property
    def is_new(self) -> bool:
        """Tell whether nothing was ever noted."""
        return self._lines == 0

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None

    def writing(self, entries: Sequence[LedgerEntry]) -> None:
        """Note what is about to be written."""
        self._append({"op": "writing", "entries": [entry.packed() for entry in entries]})

    def settled(self, written: Sequence[str], refused: Sequence[str]) -> None:
        """Note which targets of what was about to be written are there, and which are not."""
        self._append({"op": "written", "targets": list(written), "refused": list(refused)})

    def staging(self, target: str) -> None:
        """Note that a large value is about to be put together under a name of ours."""
        self._append({"op": "staging", "target": target})

    def unstaged(self, target: str) -> None:
        """Note that nothing of it is left under that name."""
        self._append({"op": "unstaged", "target": target})

    def removed(self, targets: Sequence[str]) -> None:
        """Note what a rollback deleted or found gone."""
        self._append({"op": "removed", "targets": list(targets)})

    def batches(self) -> Iterator[list[LedgerEntry]]:
        """Yield the entries of all targets that stand, as they were written together."""
        for number, (body, _, _) in enumerate(self._read(), start=1):
            if body["op"] == "writing":
                entries = [LedgerEntry.unpacked(one) for one in body["entries"]]
                standing = [entry for entry in entries if self.written.get(entry.target) == number]
                if standing:
                    yield standing

    def _append(self, body: dict[str, Any]) -> None:
        if self.is_new and body["op"] != "opened":
            self._append({"op": "opened", **self._servers})
        line, checksum = ledger_line(body, self._sum)
        self._write(line)
        self._size += len(line)
        self._sum = checksum
        self._fold(body)

    def _write(self, line: bytes) -> None:
        try:
            if self._handle is None:
                self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
                os.ftruncate(self._handle, self._size)
            written = os.write(self._handle, line)
            while written < len(line):  # the next attempt says why
                written += os.write(self._handle, line[written:])
            os.fsync(self._handle)
        except OSError as error:
            # a part of a line must not stand in the middle of the file
            self.close()
            raise MigrationRefused(
                f"{self.path} cannot be written: {error.strerror}; free space there and run the command again"
            ) from error

    def _fold(self, body: dict[str, Any]) -> None:
        self._lines += 1
        op = body["op"]
        if op == "writing":
            self.unsettled = {entry[0]: LedgerEntry.unpacked(entry) for entry in body["entries"]}
            self._writing_line = self._lines
        elif op == "written":
            self.written |= dict.fromkeys(body["targets"], self._writing_line)
            self.unsettled = {}
        elif op == "staging":
            self.staged[body["target"]] = None
        elif op == "unstaged":
            self.staged.pop(body["target"], None)
        elif op == "removed":
            for target in body["targets"]:
                self.written.pop(target, None)

    def _load(self, servers: dict[str, str]) -> None:
        for body, line, checksum in self._read():
            if self.is_new and (other := {name: body.get(name) for name in servers}) != servers:
                raise MigrationRefused(
                    f"{self.path} is the ledger of {other}, not of {servers}: give this migration a folder of its own"
                )
            self._sum = checksum
            self._size += len(line)
            self._fold(body)

    def _read(self) -> Iterator[tuple[dict[str, Any], bytes, str]]:
        """Yield whole lines; a last one that a kill cut off was never relied on."""
        if not self.path.exists():
            return
        checksum = FIRST_SUM
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    body, checksum = read_ledger_line(line, checksum)
                except MigrationFileDamaged as error:
                    raise MigrationFileDamaged(
                        f"{self.path}, line {number}: {error}; put back a copy of the ledger, or compare by hand"
                    ) from None
                yield body, line, checksum


@contextmanager
def migration_lock(folder: Path) -> Iterator[None]:
    """Let one process work on a migration; raise MigrationLocked."""
    try:
        make_private(folder)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    except OSError as error:
        raise MigrationRefused(f"{folder} cannot be used: {error.strerror}; choose another folder") from error
    try:
        _take(handle, folder)
        yield
    finally:
        os.close(handle)


def _take(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise MigrationLocked(f"another process works on the migration in {folder}; wait until it ends") from error
