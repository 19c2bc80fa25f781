"""Carry a plan out: read a batch, note in the ledger what will be written, write it in one step, note what was."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import groupby

from trading_platform.errors import MigrationRefused
from trading_platform.migration.decisions import PlannedKey, Reason, Status, is_converted
from trading_platform.migration.reports import WorkReport
from trading_platform.migration.target_keys import staging_key
from trading_platform.migration.typed_values import ValueDigest
from trading_platform.storage.migration.context import Migration, reach
from trading_platform.storage.migration.copies import EXPIRED, Copy, Large, Missed, conversions, entry_of, renames
from trading_platform.storage.migration.ledger import Ledger, migration_lock
from trading_platform.storage.migration.plan_file import PLAN, Plan
from trading_platform.storage.migration.raw_commands import answered, ask
from trading_platform.storage.migration.reading import LARGE_BYTES, pages, pieces, stream_tail
from trading_platform.storage.migration.settling import settle
from trading_platform.storage.migration.writing import (
    Outcome,
    Write,
    fill,
    name_it,
    restore,
    stream_position,
    transact,
    typed,
)

AT_A_TIME = 500

WRITTEN = "written"
BEFORE = "written before"


class CopyBy(StrEnum):
    """How values are copied that keep their type."""

    AUTO = "auto"
    TYPE = "type"


Progress = Callable[[int, int], None]
"""Told how many lines of how many are done."""


def run_plan(
    migration: Migration, *, by: CopyBy = CopyBy.AUTO, at_a_time: int = AT_A_TIME, progress: Progress | None = None
) -> WorkReport:
    """Write all that the plan takes and the ledger does not have yet; raise MigrationRefused or StoreUnavailable."""
    with migration_lock(migration.folder):
        reach(migration)
        plan = checked_plan(migration)
        ledger = Ledger(migration.folder, migration.servers)
        try:
            settle(migration.target, ledger)
            report = WorkReport("run")
            work = _Run(migration, plan, ledger, report, dumped=by is CopyBy.AUTO)
            done = 0
            for batch in pieces(plan.entries(), at_a_time):
                work.batch(batch)
                done += len(batch)
                if progress:
                    progress(done, plan.count)
            return report
        finally:
            ledger.close()


def has_plan(migration: Migration) -> bool:
    """Tell whether there is a plan in the folder."""
    return (migration.folder / PLAN).is_file()


def checked_plan(migration: Migration) -> Plan:
    """Return the plan in the folder; raise MigrationRefused when it is for something else or by other rules."""
    plan = Plan(migration.folder)
    header = plan.header
    servers = {"layout": header.layout, "source": header.source, "target": header.target}
    if servers != migration.servers:
        raise MigrationRefused(
            f"the plan is for {servers}, not for {migration.servers}: plan again, or choose another folder"
        )
    if header.rules != migration.layout.fingerprint:
        raise MigrationRefused("the plan was made by other rules than this program has: plan again")
    return plan


class _Run:
    def __init__(self, migration: Migration, plan: Plan, ledger: Ledger, report: WorkReport, *, dumped: bool) -> None:
        self._migration = migration
        self._planned_ms = plan.header.created_ms
        self._ledger = ledger
        self._report = report
        self._dumped = dumped

    def batch(self, lines: Sequence[PlannedKey]) -> None:
        """Write what is to be written of some lines."""
        for line in lines:
            if line.status is not Status.TAKE:
                self._aside(line, f"{line.status} in the plan: {line.reason}", line.detail)
        missing = self._not_there([line for line in lines if line.status is Status.TAKE])
        for (_, decoded), group in groupby(missing, key=self._reading):
            found = list(group)
            if decoded:
                self._take(conversions(self._migration, found, planned_ms=self._planned_ms))
            else:
                self._take(renames(self._migration, found, dumped=self._dumped))

    def _reading(self, line: PlannedKey) -> tuple[int, bool]:
        return line.database, is_converted(self._migration.layout, line.family)

    def _not_there(self, lines: Sequence[PlannedKey]) -> list[PlannedKey]:
        """Return the lines whose place is free; what we wrote is done, what another wrote stays."""
        there = answered(ask(self._migration.target, [("EXISTS", line.target) for line in lines]))
        missing = []
        for line, found in zip(lines, there, strict=True):
            if not found:
                missing.append(line)
            elif line.target in self._ledger.written:
                self._done(line, BEFORE)
            else:
                self._aside(line, str(Reason.TARGET_EXISTS), line.target)
        return missing

    def _take(self, made: Iterable[Copy | Large | Missed]) -> None:
        copies: list[Copy] = []
        size = 0
        for one in made:
            if isinstance(one, Missed):
                self._miss(one)
            elif isinstance(one, Large):
                self._write_large(one)
            else:
                copies.append(one)
                size += one.line.size
            if size > LARGE_BYTES:
                self._write(copies)
                copies, size = [], 0
        if copies:
            self._write(copies)

    def _write(self, copies: Sequence[Copy]) -> None:
        self._ledger.writing([copy.entry for copy in copies])
        client = self._migration.target
        outcomes = transact(client, [_write_of(copy) for copy in copies])
        foreign = [place for place, outcome in enumerate(outcomes) if outcome.is_foreign_format]
        if foreign:
            self._dumped = False  # the servers share no format: from now on by type
            again = transact(client, [_write_of(replace(copies[place], payload=None)) for place in foreign])
            for place, outcome in zip(foreign, again, strict=True):
                outcomes[place] = outcome
        written: list[str] = []
        refused: list[str] = []
        for copy, outcome in zip(copies, outcomes, strict=True):
            fine = self._judge(copy.line, outcome)
            (written if fine else refused).append(copy.entry.target)
            if fine and copy.value.tail:
                self._note_pending(copy.line, copy.value.tail.pending, dumped=copy.payload is not None)
        self._ledger.settled(written, refused)

    def _write_large(self, large: Large) -> None:
        client, line = self._migration.target, large.line
        stage = staging_key(line.target)
        digest, items = ValueDigest(large.facts.kind), 0
        source = self._migration.source.client(line.database)
        self._ledger.staging(line.target)
        answered(ask(client, [("DEL", stage)]))
        for page in pages(source, large.facts):
            digest.add(page)
            items += len(page)
            answered(ask(client, fill(stage, large.facts.kind, page)))
        tail = stream_tail(source, large.facts.key) if large.facts.kind == "stream" else None
        if tail:
            answered(ask(client, stream_position(stage, tail, entries=items)))
            self._note_pending(line, tail.pending, dumped=False)
        entry = entry_of(line, digest.finish(tail), large.facts.expires_ms, large.facts.expires_ms)
        self._ledger.writing([entry])
        outcome = transact(client, [name_it(stage, line.target, large.facts.expires_ms)])[0]
        fine = self._judge(line, outcome)
        self._ledger.settled([line.target] * fine, [line.target] * (not fine))
        self._ledger.unstaged(line.target)

    def _judge(self, line: PlannedKey, outcome: Outcome) -> bool:
        if outcome.is_written and outcome.error:
            # a value of which a part was refused has got its name: no command of a transaction undoes another
            answered(ask(self._migration.target, [("DEL", line.target)]))
        if outcome.is_expired:
            self._done(line, EXPIRED)
        elif outcome.error:
            self._aside(line, "the target refuses a part of the value", outcome.error)
        elif outcome.is_written:
            self._done(line, WRITTEN)
        else:
            self._aside(line, str(Reason.TARGET_EXISTS), line.target)
        return outcome.is_written and not outcome.error

    def _miss(self, missed: Missed) -> None:
        if missed.why == EXPIRED:
            self._done(missed.line, EXPIRED)
        else:
            self._aside(missed.line, missed.why, missed.detail)

    def _note_pending(self, line: PlannedKey, pending: int, *, dumped: bool) -> None:
        if pending and not dumped:
            self._report.notes.append(
                f"{line.keys[0]}: {pending} entries that its readers never acknowledged are in the stream, but no "
                "longer on the readers' lists"
            )

    def _done(self, line: PlannedKey, name: str) -> None:
        self._report.done.add(name, line.keys[0], keys=len(line.keys), size=line.size)

    def _aside(self, line: PlannedKey, why: str, detail: str = "") -> None:
        sample = f"{line.keys[0]} in database {line.database}"
        self._report.aside.add(why, f"{sample}: {detail}" if detail else sample, keys=len(line.keys), size=line.size)


def _write_of(copy: Copy) -> Write:
    if copy.payload is not None:
        return restore(copy.entry.target, copy.payload, copy.entry.expires_ms)
    return typed(copy.entry.target, copy.value, copy.entry.expires_ms)
