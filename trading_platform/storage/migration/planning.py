"""Make a plan: every key of the source once, with what becomes of it; only the plan is written."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO

import redis

from trading_platform.migration.conversions import Source
from trading_platform.migration.decisions import (
    KeyFacts,
    Match,
    PlannedKey,
    Reason,
    Status,
    decoded,
    match,
    merged,
    renamed,
    set_aside,
)
from trading_platform.migration.decoding import is_pickle
from trading_platform.migration.plan_records import PlanHeader, key_line, read_key
from trading_platform.migration.reports import PlanReport
from trading_platform.migration.rules import Action, Conversion
from trading_platform.storage.migration.context import Migration, Reach, reach
from trading_platform.storage.migration.ledger import Ledger, migration_lock
from trading_platform.storage.migration.plan_file import write_plan
from trading_platform.storage.migration.raw_commands import answered, ask
from trading_platform.storage.migration.reading import batches, key_facts, pieces, scan_keys, small_values

_AT_A_TIME = 1000


def make_plan(migration: Migration) -> PlanReport:
    """Look at every key of the source and write the plan; raise MigrationRefused or StoreUnavailable."""
    with migration_lock(migration.folder):
        found = reach(migration)
        ledger = Ledger(migration.folder, migration.servers)
        ledger.close()
        report = PlanReport(migration.layout.name, migration.source.address, migration.servers["target"], "")
        report.warnings += found.warnings
        survey = _Survey(migration, found, report)
        header = PlanHeader(
            layout=migration.layout.name,
            rules=migration.layout.fingerprint,
            source=migration.source.address,
            target=migration.servers["target"],
            created_ms=migration.now_ms,
        )
        with tempfile.TemporaryFile(dir=migration.folder) as draft:
            draft.writelines(key_line(line) for line in survey.lines())
            lines = _without_collisions(draft, survey, {*ledger.written, *ledger.unsettled})
            path = write_plan(migration.folder, header, (_counted(line, report) for line in lines))
        report.file = str(path)
        return report


class _Survey:
    """One look at all keys; afterwards it knows which targets more than one key goes to."""

    def __init__(self, migration: Migration, found: Reach, report: PlanReport) -> None:
        self.target = migration.target
        self.report = report
        self.shared: set[str] = set()
        self._migration = migration
        self._found = found
        self._targets: set[str] = set()
        self._spellings: list[tuple[PlannedKey, Source]] = []

    def lines(self) -> Iterator[PlannedKey]:
        """Yield what becomes of each key."""
        for database in self._found.databases:
            client = self._migration.source.client(database)
            for keys in scan_keys(client):
                known = [facts for facts in key_facts(client, database, keys) if facts]
                self.report.expired_meanwhile += len(keys) - len(known)
                for line in self._decide(client, known):
                    yield self._noted(line)
        for line in merged([line for line, _ in self._spellings], [source for _, source in self._spellings]):
            yield self._noted(line)

    def _noted(self, line: PlannedKey) -> PlannedKey:
        if line.target:
            (self.shared if line.target in self._targets else self._targets).add(line.target)
        return line

    def _decide(self, client: "redis.Redis", known: list[KeyFacts]) -> Iterator[PlannedKey]:
        matches: list[Match] = []
        for facts in known:
            found = match(self._migration.layout, facts)
            if isinstance(found, PlannedKey):
                yield found
            else:
                matches.append(found)
        if known and known[0].database in self._found.source.field_lifetimes:
            matches, refused = _apart(client, matches)
            yield from refused
        keeping = [one for one in matches if one.rule.action is Action.RENAME]
        yield from (renamed(self._migration.layout, one) for one in keeping)
        self._note_pickles(client, keeping)
        yield from self._decoded(client, [one for one in matches if one.rule.action is Action.CONVERT])

    def _decoded(self, client: "redis.Redis", matches: list[Match]) -> Iterator[PlannedKey]:
        for batch in batches([(place, one.facts) for place, one in enumerate(matches)]):
            values = small_values(client, [facts for _, facts in batch])
            for (place, facts), value in zip(batch, values, strict=True):
                if value is None:
                    self.report.expired_meanwhile += 1
                    continue
                found = matches[place]
                source = Source(facts.name, found.fields, value)
                line = decoded(self._migration.layout, found, source, self._migration.dump_of)
                if found.rule.conversion is Conversion.VIX and line.status is Status.TAKE:
                    self._spellings.append((line, source))
                else:
                    yield line

    def _note_pickles(self, client: "redis.Redis", matches: list[Match]) -> None:
        strings = [one for one in matches if one.facts.kind == "string"]
        replies = ask(client, [("GETRANGE", one.facts.key, 0, 1) for one in strings])
        for one, reply in zip(strings, replies, strict=True):
            # an error: it has another type by now, which the run will find
            if isinstance(reply, bytes) and is_pickle(reply):
                self.report.pickles.add(one.rule.family, one.facts.name, size=one.facts.size)


def _apart(client: "redis.Redis", matches: list[Match]) -> tuple[list[Match], list[PlannedKey]]:
    """Set hashes aside whose fields have lifetimes: no copy that we could compare would keep them."""
    hashes = [one for one in matches if one.facts.kind == "hash"]
    fields = answered(ask(client, [("HKEYS", one.facts.key) for one in hashes]))
    asked = [(one, names) for one, names in zip(hashes, fields, strict=True) if names]
    ends = answered(
        ask(client, [("HPEXPIRETIME", one.facts.key, "FIELDS", len(names), *names) for one, names in asked])
    )
    lasting = {
        one.facts.key for (one, _), times in zip(asked, ends, strict=True) if any(moment > 0 for moment in times)
    }
    return (
        [one for one in matches if one.facts.key not in lasting],
        [set_aside(one.facts, Reason.FIELD_LIFETIMES, rule=one.rule) for one in matches if one.facts.key in lasting],
    )


def _without_collisions(draft: IO[bytes], survey: _Survey, ours: Iterable[str]) -> Iterator[PlannedKey]:
    """Read the draft again, now that it is known which places are taken."""
    written = frozenset(ours)
    draft.seek(0)
    for batch in pieces(map(read_key, draft), _AT_A_TIME):
        taken = [line for line in batch if line.status is Status.TAKE]
        exist = answered(ask(survey.target, [("EXISTS", line.target) for line in taken]))
        there = {line.target for line, found in zip(taken, exist, strict=True) if found}
        survey.report.already_written += len(there & written)
        for line in batch:
            if line.target in survey.shared:
                yield replace(line, status=Status.COLLISION, reason=Reason.SAME_TARGET)
            elif line.target in there - written:
                yield replace(line, status=Status.COLLISION, reason=Reason.TARGET_EXISTS)
            else:
                yield line


def _counted(line: PlannedKey, report: PlanReport) -> PlannedKey:
    keys, size, sample = len(line.keys), line.size, f"{line.keys[0]} in database {line.database}"
    report.keys += keys
    if line.status is Status.TAKE:
        report.families.add(line.family, sample, keys=keys, size=size)
    elif line.status is Status.LEAVE:
        report.left.add(f"{line.family}: {line.detail}", sample, keys=keys, size=size)
    elif line.status is Status.COLLISION:
        report.collisions.add(str(line.reason), f"{sample} -> {line.target}", keys=keys, size=size)
    else:
        told = f"{sample}: {line.detail}" if line.detail else sample
        report.unmatched.add(str(line.reason), told, keys=keys, size=size)
    return line
