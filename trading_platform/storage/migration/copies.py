"""Read what a batch of the plan takes, and say of each key what will stand in the target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trading_platform.errors import PlatformError
from trading_platform.migration.conversions import Source
from trading_platform.migration.decisions import KeyFacts, PlannedKey, convert, lifetime_seconds
from trading_platform.migration.ledger_records import LedgerEntry
from trading_platform.migration.typed_values import TypedValue
from trading_platform.storage.migration.context import Migration
from trading_platform.storage.migration.raw_commands import answered, ask
from trading_platform.storage.migration.reading import LARGE_BYTES, batches, key_facts, small_values

EXPIRED = "expired since the plan"
GONE = "gone from the source before its time"
CHANGED = "changed its type or place since the plan: plan again"
TOO_OLD = "the plan is older than the lifetime that it gives: plan again"


@dataclass(frozen=True, slots=True)
class Copy:
    """A value in memory, ready to be written; `payload` is what DUMP gave, None: write it by its type."""

    line: PlannedKey
    entry: LedgerEntry
    value: TypedValue
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Large:
    """A value that is never in memory as a whole."""

    line: PlannedKey
    facts: KeyFacts


@dataclass(frozen=True, slots=True)
class Missed:
    """A key that is not written after all, and why."""

    line: PlannedKey
    why: str
    detail: str = ""


def renames(migration: Migration, lines: Sequence[PlannedKey], *, dumped: bool) -> Iterator[Copy | Large | Missed]:
    """Read the keys of one database that keep their values; with `dumped` in the server's own format too."""
    now = migration.now_ms
    client = migration.source.client(lines[0].database)
    facts = key_facts(client, lines[0].database, [line.keys[0].encode() for line in lines])
    present: list[tuple[int, KeyFacts]] = []
    for place, (line, one) in enumerate(zip(lines, facts, strict=True)):
        if one is None:
            yield missed(line, now)
        elif one.kind != line.kind:
            yield Missed(line, CHANGED, f"{one.kind}, it was {line.kind}")
        else:
            present.append((place, one))
    for batch in batches(present):
        if batch[0][1].size > LARGE_BYTES:
            yield Large(lines[batch[0][0]], batch[0][1])
            continue
        known = [one for _, one in batch]
        payloads = answered(ask(client, [("DUMP", one.key) for one in known])) if dumped else [None] * len(known)
        values = small_values(client, known)
        for (place, one), value, payload in zip(batch, values, payloads, strict=True):
            if value is None or (dumped and payload is None):
                yield missed(lines[place], migration.now_ms)
            else:
                yield Copy(lines[place], _kept(lines[place], value, one), value, payload)


def conversions(migration: Migration, lines: Sequence[PlannedKey], *, planned_ms: int) -> Iterator[Copy | Missed]:
    """Read and decode the keys of one database whose values are written anew."""
    for line in lines:
        facts, sources = present_sources(migration, line)
        if not sources:
            yield missed(line, migration.now_ms)
            continue
        try:
            outcome = convert(migration.layout, line.family, sources, migration.dump_of)
        except PlatformError as error:
            yield Missed(line, CHANGED, str(error))
            continue
        seconds = lifetime_seconds(migration.layout, line.family)
        expires_ms = None if seconds is None else planned_ms + seconds * 1000
        if outcome.target(migration.layout.name) != line.target:
            yield Missed(line, CHANGED, f"it goes to {outcome.target(migration.layout.name)} now")
        elif expires_ms is not None and expires_ms <= migration.now_ms:
            yield Missed(line, TOO_OLD)
        else:
            value = outcome.value()
            yield Copy(line, entry_of(line, value.digest(), expires_ms, _first(facts)), value)


def present_sources(migration: Migration, entry: PlannedKey | LedgerEntry) -> tuple[list[KeyFacts], list[Source]]:
    """Read those keys of a converted target that are still there."""
    client = migration.source.client(entry.database)
    asked = key_facts(client, entry.database, [key.encode() for key in entry.keys])
    facts = [one for one in asked if one and one.kind in {"string", "hash"} and one.size <= LARGE_BYTES]
    sources = []
    for one, value in zip(facts, small_values(client, facts), strict=True):
        found = migration.layout.rules_for(entry.database, one.name)
        if value is not None and found:
            sources.append(Source(one.name, found[0][1], value))
    return facts, sources


def missed(line: PlannedKey, now_ms: int) -> Missed:
    """Tell a key that expired from one that is gone for another reason."""
    return Missed(line, EXPIRED if line.expires_ms is not None and line.expires_ms <= now_ms else GONE)


def entry_of(line: PlannedKey, digest: str, expires_ms: int | None, source_expires_ms: int | None) -> LedgerEntry:
    """Return what the ledger says of a line."""
    return LedgerEntry(line.target, line.database, line.keys, line.family, digest, expires_ms, source_expires_ms)


def _kept(line: PlannedKey, value: TypedValue, facts: KeyFacts) -> LedgerEntry:
    return entry_of(line, value.digest(), facts.expires_ms, facts.expires_ms)


def _first(facts: Sequence[KeyFacts]) -> int | None:
    """Return when the first of several keys expires, None when none does."""
    return min((one.expires_ms for one in facts if one.expires_ms is not None), default=None)
