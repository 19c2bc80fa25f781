"""A rollback deletes what was written and nobody changed since, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from trading_platform.errors import MigrationRefused
from trading_platform.migration.ledger_records import LedgerEntry
from trading_platform.migration.reports import WorkReport
from trading_platform.migration.target_keys import staging_key
from trading_platform.storage.migration import undoing
from trading_platform.storage.migration.context import written_to
from trading_platform.storage.migration.ledger import Ledger
from trading_platform.storage.migration.planning import make_plan
from trading_platform.storage.migration.running import WRITTEN, run_plan
from trading_platform.storage.migration.undoing import CHANGED, GONE, REMOVED, roll_back
from trading_platform_tests.migration.legacy_databases import legacy_keys, write_keys
from trading_platform_tests.migration.two_servers import TARGET, TwoServers, snapshot


def rolled_back(servers: TwoServers, folder: Path) -> WorkReport:
    layout = servers.migration(folder).layout
    return roll_back(servers.target, folder, written_to(layout, servers.target, TARGET))


@pytest.fixture
def migrated(servers: TwoServers, tmp_path: Path) -> TwoServers:
    write_keys(servers.source, legacy_keys("l4", 11, buckets=10))
    make_plan(servers.migration(tmp_path))
    run_plan(servers.migration(tmp_path))
    return servers


def test_everything_that_was_written_is_deleted_and_nothing_else(migrated: TwoServers, tmp_path: Path) -> None:
    count = migrated.target.dbsize()
    migrated.target.set("{tp:k1}:baseline", "ours")
    migrated.target.set("legacy:l4:ticks_latest:OTHER", "not of the ledger")
    report = rolled_back(migrated, tmp_path)
    assert report.is_whole
    assert report.done.counts[REMOVED].keys == count
    assert set(snapshot(migrated.target)) == {b"{tp:k1}:baseline", b"legacy:l4:ticks_latest:OTHER"}


def test_what_was_changed_since_stays_and_is_named(migrated: TwoServers, tmp_path: Path) -> None:
    migrated.target.hset("legacy:l4:ticks_latest:INFY", "added", "since")
    migrated.target.delete("legacy:l4:ticks_latest:BAJAJ-AUTO")
    report = rolled_back(migrated, tmp_path)
    assert report.aside.counts[CHANGED].samples == ["legacy:l4:ticks_latest:INFY"]
    assert report.done.counts[GONE].samples == ["legacy:l4:ticks_latest:BAJAJ-AUTO"]
    assert list(snapshot(migrated.target)) == [b"legacy:l4:ticks_latest:INFY"]
    again = rolled_back(migrated, tmp_path)
    assert (again.done.keys, again.aside.keys) == (0, 1)


def test_a_key_that_is_changed_while_it_is_looked_at_stays(
    migrated: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = undoing.targets_held

    def meddling(client: Any, entries: Any) -> Any:
        found = real(client, entries)
        if any(entry.target == "legacy:l4:ticks_latest:INFY" for entry in entries):
            migrated.target.hincrby("legacy:l4:ticks_latest:INFY", "changes", 1)
        return found

    monkeypatch.setattr(undoing, "targets_held", meddling)
    report = rolled_back(migrated, tmp_path)
    assert report.aside.counts[CHANGED].samples == ["legacy:l4:ticks_latest:INFY"]
    assert list(snapshot(migrated.target)) == [b"legacy:l4:ticks_latest:INFY"]


def test_after_a_rollback_a_run_writes_all_of_it_again(migrated: TwoServers, tmp_path: Path) -> None:
    before = snapshot(migrated.target)
    rolled_back(migrated, tmp_path)
    report = run_plan(migrated.migration(tmp_path))
    assert report.done.counts.keys() == {WRITTEN}
    assert snapshot(migrated.target) == before
    assert rolled_back(migrated, tmp_path).is_whole
    assert snapshot(migrated.target) == {}


def test_what_a_killed_run_left_is_taken_back_too(servers: TwoServers, tmp_path: Path) -> None:
    migration = servers.migration(tmp_path)
    ledger = Ledger(tmp_path, migration.servers)
    servers.target.set("legacy:l4:a", "x")
    servers.target.set("legacy:l4:b", "another's")
    servers.target.set(staging_key("legacy:l4:c"), "half")
    held = [found.digest for found in undoing.targets_held(servers.target, _entries("legacy:l4:a", "")) if found]
    ledger.staging("legacy:l4:c")
    ledger.writing([*_entries("legacy:l4:a", held[0]), *_entries("legacy:l4:b", "0" * 32)])
    ledger.close()
    report = rolled_back(servers, tmp_path)
    assert report.done.counts[REMOVED].samples == ["legacy:l4:a"]
    assert report.is_whole  # what another wrote was never ours
    assert list(snapshot(servers.target)) == [b"legacy:l4:b"]


def _entries(target: str, digest: str) -> list[LedgerEntry]:
    return [LedgerEntry(target, 1, ("k",), "sys", digest, None, None)]


def test_the_source_is_not_needed(migrated: TwoServers, tmp_path: Path) -> None:
    migrated.source.flushall()
    assert rolled_back(migrated, tmp_path).is_whole


def test_without_a_ledger_nothing_is_deleted(servers: TwoServers, tmp_path: Path) -> None:
    servers.target.set("legacy:l4:a", "x")
    with pytest.raises(MigrationRefused, match="no ledger"):
        rolled_back(servers, tmp_path)
    assert servers.target.get("legacy:l4:a") == b"x"


def test_a_ledger_of_another_target_deletes_nothing(migrated: TwoServers, tmp_path: Path) -> None:
    layout = migrated.migration(tmp_path).layout
    with pytest.raises(MigrationRefused, match="folder of its own"):
        roll_back(migrated.target, tmp_path, written_to(layout, migrated.target, "another"))
    assert migrated.target.dbsize() > 0
