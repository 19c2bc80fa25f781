"""The plan on disk: written beside and put in place when it is whole, checked to its last line before it is used."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from trading_platform.errors import MigrationFileDamaged, MigrationRefused
from trading_platform.migration.decisions import PlannedKey
from trading_platform.migration.plan_records import (
    PlanDigest,
    PlanHeader,
    header_line,
    key_line,
    read_header,
    read_key,
)

PLAN = "plan.jsonl"


def write_plan(folder: Path, header: PlanHeader, lines: Iterable[PlannedKey]) -> Path:
    """Write a plan, all or nothing; raise MigrationRefused when the file system refuses."""
    path, unfinished = folder / PLAN, folder / f".{PLAN}.unfinished"
    digest = PlanDigest()
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(digest.add(header_line(header)))
            out.writelines(digest.add(key_line(line)) for line in lines)
            out.write(digest.end_line())
            out.flush()
            os.fsync(out.fileno())
        return unfinished.replace(path)
    except OSError as error:
        raise MigrationRefused(f"{path} cannot be written: {error.strerror}; mend that and plan again") from error
    finally:
        unfinished.unlink(missing_ok=True)


class Plan:
    """A plan that was found whole."""

    def __init__(self, folder: Path) -> None:
        """Check the file; raise MigrationRefused when there is none, MigrationFileDamaged when it is not whole."""
        self._path = folder / PLAN
        if not self._path.is_file():
            raise MigrationRefused(f"there is no plan in {folder}: run `migrate plan` first")
        digest = PlanDigest()
        lines = 0
        with self._path.open("rb") as raw:
            last = raw.readline()
            self.header = read_header(last)
            for line in raw:
                digest.add(last)
                lines, last = lines + 1, line
        self.count = lines - 1
        if last != digest.end_line():
            raise MigrationFileDamaged(f"{self._path} is cut off or was changed: plan again")

    def entries(self) -> Iterator[PlannedKey]:
        """Yield its lines in order."""
        with self._path.open("rb") as raw:
            for number, line in enumerate(raw):
                if 0 < number <= self.count:
                    yield read_key(line)
