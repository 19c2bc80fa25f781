"""Take a migration back: delete what the ledger says was written and nobody changed since, and name the rest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from trading_platform.errors import MigrationRefused
from trading_platform.migration.ledger_records import LedgerEntry
from trading_platform.migration.reports import WorkReport
from trading_platform.storage.migration.ledger import Ledger, migration_lock
from trading_platform.storage.migration.raw_commands import answered, ask
from trading_platform.storage.migration.settling import settle, targets_held

REMOVED = "removed"
GONE = "gone already"
CHANGED = "changed since it was written, so it stays"


def roll_back(target: "redis.Redis", folder: Path, servers: dict[str, str]) -> WorkReport:
    """Delete what was written; what was changed since stays and is named.

    `servers` is what the ledger has to be of. The source is not needed, it may be gone for good.
    """
    with migration_lock(folder):
        ledger = Ledger(folder, servers)
        if ledger.is_new:
            raise MigrationRefused(f"there is no ledger in {folder}: nothing was written, or it is another folder")
        try:
            settle(target, ledger)
            report = WorkReport("rollback")
            with _one_connection(target) as alone:
                for entries in ledger.batches():
                    _remove(alone, ledger, entries, report)
            return report
        finally:
            ledger.close()


@contextmanager
def _one_connection(target: "redis.Redis") -> Iterator["redis.Redis"]:
    """Watch and delete over the same connection: WATCH belongs to it."""
    usual = target.connection_pool
    pool = redis.ConnectionPool(usual.connection_class, max_connections=1, **usual.connection_kwargs)
    try:
        yield redis.Redis(connection_pool=pool)
    finally:
        pool.disconnect()


def _remove(alone: "redis.Redis", ledger: Ledger, entries: Sequence[LedgerEntry], report: WorkReport) -> None:
    answered(ask(alone, [("WATCH", *(entry.target for entry in entries))]))
    found = targets_held(alone, entries)
    ours: list[LedgerEntry] = []
    gone: list[LedgerEntry] = []
    changed: list[LedgerEntry] = []
    for entry, held in zip(entries, found, strict=True):
        if held is None:
            gone.append(entry)
        else:
            (ours if held.digest == entry.digest else changed).append(entry)
    if not _deleted(alone, ours):
        _remove_singly(alone, ledger, entries, report)
        return
    ledger.removed([entry.target for entry in (*ours, *gone)])
    for name, those in ((REMOVED, ours), (GONE, gone)):
        for entry in those:
            report.done.add(name, entry.target)
    for entry in changed:
        report.aside.add(CHANGED, entry.target)


def _remove_singly(alone: "redis.Redis", ledger: Ledger, entries: Sequence[LedgerEntry], report: WorkReport) -> None:
    """Somebody changed a key while it was looked at: find out which."""
    if len(entries) == 1:
        report.aside.add(CHANGED, entries[0].target)
        return
    for entry in entries:
        _remove(alone, ledger, [entry], report)


def _deleted(alone: "redis.Redis", entries: Sequence[LedgerEntry]) -> bool:
    """Delete keys if none of those that are watched was changed; nothing is watched afterwards."""
    deletes = [("UNLINK", entry.target) for entry in entries]
    return answered(ask(alone, [("MULTI",), *deletes, ("EXEC",)]))[-1] is not None
