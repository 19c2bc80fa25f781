"""Let old runs of Dagster go, with all that they left on the disk; a program of its own for who lacks Dagster.

Dagster deletes the rows of a run and nothing else: files stay, and materialisations go that the UI still shows. Here a
run stays whole while it holds the last materialisation or observation of a partition, and its files go with its rows.
"""

import argparse
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
from dagster import AssetRecordsFilter, DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from trading_platform.market.clock import Clock, from_ns
from trading_platform.orchestration.event_retention import prune_events

FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]

_ASKED_AT_ONCE = 500
_BUSY_SECONDS = 5.0
_WORTH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, what stayed and why, and the size of Dagster's folder before and after."""

    deleted_runs: int
    kept_runs: int
    """Old ones that hold the last materialisation or observation of a partition."""
    deleted_events: int
    removed_leftovers: int
    """Files and folders of runs that were deleted before without them."""
    bytes_before: int
    bytes_after: int
    busy: tuple[str, ...] = ()
    """Databases that could not be shrunk because somebody used them; their room is used again."""


def prune_runs(
    instance: DagsterInstance, home: Path, *, keep_days: int, now: datetime, dry_run: bool = False
) -> Pruned:
    """Delete runs that ended more than `keep_days` ago, their files, and what outlived its run.

    Runs that have not ended are never touched, however old they are.
    """
    since = (now - timedelta(days=keep_days)).astimezone(UTC)  # Dagster drops the zone
    before = folder_bytes(home)
    old = _ended_before(instance, since)
    holders = _holders(instance)
    doomed = [run_id for run_id in old if run_id not in holders]
    if dry_run:
        return Pruned(len(doomed), len(old) - len(doomed), 0, 0, before, before)
    for run_id in doomed:
        # events first: a run that is deleted half can be found and deleted again
        instance.event_log_storage.delete_events(run_id)
        instance.run_storage.delete_run(run_id)
        _remove_files(home, run_id)
    events = prune_events(instance, since)
    leftovers = _leftovers(instance, home, since)
    for run_id in leftovers:
        _remove_files(home, run_id)
    busy = tuple(path.name for path in _databases(home) if not _shrink(path))
    return Pruned(len(doomed), len(old) - len(doomed), events, len(leftovers), before, folder_bytes(home), busy)


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder, of which some may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _ended_before(instance: DagsterInstance, since: datetime) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = instance.get_run_records(
            RunsFilter(statuses=FINISHED, updated_before=since), limit=_ASKED_AT_ONCE, cursor=cursor
        )
        found += [record.dagster_run.run_id for record in page]
        if len(page) < _ASKED_AT_ONCE:
            return found
        cursor = found[-1]


def _holders(instance: DagsterInstance) -> set[str]:
    """Return the runs that hold the last event of any partition of any asset, or of one that has no partitions."""
    lasting = (
        (DagsterEventType.ASSET_MATERIALIZATION, instance.fetch_materializations),
        (DagsterEventType.ASSET_OBSERVATION, instance.fetch_observations),
    )
    found: set[str] = set()
    for key in instance.all_asset_keys():
        for kind, fetch in lasting:
            found |= {record.run_id for record in fetch(key, limit=1).records}
            by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(key, kind)
            for ids in _chunks(list(by_partition.values())):
                records = fetch(AssetRecordsFilter(asset_key=key, storage_ids=ids), limit=len(ids)).records
                found |= {record.run_id for record in records}
    return found


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for begin in range(0, len(ids), _ASKED_AT_ONCE):
        yield ids[begin : begin + _ASKED_AT_ONCE]


def _shards(home: Path) -> Path:
    """Return the folder in which SQLite's storage keeps one database for each run."""
    return home / "history" / "runs"


def _remove_files(home: Path, run_id: str) -> None:
    for suffix in (".db", ".db-wal", ".db-shm"):
        (_shards(home) / f"{run_id}{suffix}").unlink(missing_ok=True)
    shutil.rmtree(home / "storage" / run_id, ignore_errors=True)


def _leftovers(instance: DagsterInstance, home: Path, since: datetime) -> list[str]:
    """Return the ids under which there are old files, and no run."""
    places = [*_shards(home).glob("*.db"), *(home / "storage").glob("*")]
    aged = {path.stem for path in places if _is_run_id(path.stem) and from_ns(path.stat().st_mtime_ns) < since}
    held: set[str] = set()
    ordered = sorted(aged)
    for begin in range(0, len(ordered), _ASKED_AT_ONCE):
        asked = RunsFilter(run_ids=ordered[begin : begin + _ASKED_AT_ONCE])
        held |= {record.dagster_run.run_id for record in instance.get_run_records(asked)}
    return [run_id for run_id in ordered if run_id not in held]


def _is_run_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _databases(home: Path) -> list[Path]:
    """Return the databases that live longer than a run."""
    places = (home / "history" / "runs.db", _shards(home) / "index.db", _shards(home) / ".db")
    return [path for path in (*places, home / "schedules" / "schedules.db") if path.is_file()]


def _shrink(path: Path) -> bool:
    """Give the room of deleted rows back; False when somebody uses the database for too long."""
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            (free,) = database.execute("PRAGMA freelist_count").fetchone()
            (size,) = database.execute("PRAGMA page_size").fetchone()
            if free * size >= _WORTH_BYTES:
                database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        return False
    return True


def main(arguments: list[str]) -> None:
    """Prune the instance that DAGSTER_HOME names, and print what was done as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep-days", type=int, required=True)
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args(arguments)
    with DagsterInstance.get() as instance:
        home = Path(instance.root_directory)
        done = prune_runs(instance, home, keep_days=given.keep_days, now=Clock.wall().now(), dry_run=given.dry_run)
    sys.stdout.buffer.write(orjson.dumps(asdict(done)))


if __name__ == "__main__":
    main(sys.argv[1:])
