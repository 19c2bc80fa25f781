"""Compare every value of source and target, both read to the last byte, and name all that differs."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from trading_platform.errors import PlatformError
from trading_platform.migration.comparison import Difference, Equal, Side, compare
from trading_platform.migration.decisions import Status, convert, is_converted, key_name
from trading_platform.migration.ledger_records import LedgerEntry
from trading_platform.migration.reports import WorkReport
from trading_platform.storage.migration.context import Migration, reach
from trading_platform.storage.migration.copies import EXPIRED, missed, present_sources
from trading_platform.storage.migration.ledger import Ledger, migration_lock
from trading_platform.storage.migration.plan_file import Plan
from trading_platform.storage.migration.reading import digests, key_facts, pieces, scan_keys
from trading_platform.storage.migration.running import checked_plan
from trading_platform.storage.migration.settling import sides, targets_held

_AT_A_TIME = 500
_UNREADABLE = "unreadable"


def verify_migration(migration: Migration) -> WorkReport:
    """Compare all that was planned with all that is there; nothing is written."""
    with migration_lock(migration.folder):
        databases = reach(migration).databases
        plan = checked_plan(migration)
        ledger = Ledger(migration.folder, migration.servers)
        report = WorkReport("verify")
        for entries in ledger.batches():
            for entry, outcome in _compared(migration, entries):
                to = report.done if isinstance(outcome, Equal) else report.aside
                to.add(str(outcome), f"{entry.keys[0]} -> {entry.target}", keys=len(entry.keys))
        _find_unwritten(migration, plan, ledger, report)
        _find_new(migration, plan, databases, report)
        return report


def _compared(migration: Migration, entries: Sequence[LedgerEntry]) -> Iterator[tuple[LedgerEntry, Equal | Difference]]:
    targets = targets_held(migration.target, entries)
    decoded = [is_converted(migration.layout, entry.family) for entry in entries]
    kept = dict(
        _sources(migration, [entry for entry, is_decoded in zip(entries, decoded, strict=True) if not is_decoded])
    )
    for entry, target, is_decoded in zip(entries, targets, decoded, strict=True):
        source = _decoded(migration, entry) if is_decoded else kept[entry.target]
        yield entry, compare(entry, source, target, is_converted=is_decoded, now_ms=migration.now_ms)


def _sources(migration: Migration, entries: Sequence[LedgerEntry]) -> Iterator[tuple[str, Side | None]]:
    for database, group in groupby(entries, key=lambda entry: entry.database):
        mine = list(group)
        client = migration.source.client(database)
        facts = key_facts(client, database, [entry.keys[0].encode() for entry in mine])
        found = sides(facts, digests(client, facts))
        yield from ((entry.target, side) for entry, side in zip(mine, found, strict=True))


def _decoded(migration: Migration, entry: LedgerEntry) -> Side | None:
    """Decode the sources anew; what cannot be decoded any more equals nothing."""
    facts, sources = present_sources(migration, entry)
    if len(sources) < len(entry.keys):
        return None
    try:
        outcome = convert(migration.layout, entry.family, sources, migration.dump_of)
    except PlatformError:
        return Side(_UNREADABLE, facts[0].expires_ms)
    is_there = outcome.target(migration.layout.name) == entry.target
    return Side(outcome.value().digest() if is_there else _UNREADABLE, facts[0].expires_ms)


def _find_unwritten(migration: Migration, plan: Plan, ledger: Ledger, report: WorkReport) -> None:
    """Name what the plan takes and the ledger does not have; count what the plan set aside."""
    left = (line for line in plan.entries() if line.status is not Status.TAKE or line.target not in ledger.written)
    set_aside = 0
    for batch in pieces(left, _AT_A_TIME):
        planned = [line for line in batch if line.status is Status.TAKE]
        set_aside += sum(len(line.keys) for line in batch if line.status is not Status.TAKE)
        for database, group in groupby(planned, key=lambda line: line.database):
            mine = list(group)
            client = migration.source.client(database)
            there = key_facts(client, database, [line.keys[0].encode() for line in mine])
            for line, facts in zip(mine, there, strict=True):
                why = str(Difference.NOT_WRITTEN) if facts else missed(line, migration.now_ms).why
                tally = report.done if why == EXPIRED else report.aside
                tally.add(why, f"{line.keys[0]} in database {line.database}", keys=len(line.keys))
    if set_aside:
        report.notes.append(f"{set_aside} keys that the plan set aside are not compared")


def _find_new(migration: Migration, plan: Plan, databases: Sequence[int], report: WorkReport) -> None:
    known: dict[int, set[str]] = {database: set() for database in databases}
    for line in plan.entries():
        known.setdefault(line.database, set()).update(line.keys)
    for database in databases:
        for keys in scan_keys(migration.source.client(database)):
            for key in keys:
                name = key_name(key)
                if name not in known[database]:
                    report.aside.add(str(Difference.NEW), f"{name} in database {database}")
