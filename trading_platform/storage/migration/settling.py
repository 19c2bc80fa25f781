"""After a kill: find out what of the last batch is there, and forget what was not finished."""

from collections.abc import Sequence

import redis

from trading_platform.migration.comparison import Side
from trading_platform.migration.decisions import KeyFacts
from trading_platform.migration.ledger_records import LedgerEntry
from trading_platform.migration.target_keys import staging_key
from trading_platform.storage.migration.ledger import Ledger
from trading_platform.storage.migration.raw_commands import answered, ask
from trading_platform.storage.migration.reading import digests, key_facts
from trading_platform.storage.migration.servers import database_of


def settle(target: "redis.Redis", ledger: Ledger) -> None:
    """Bring the ledger to a point where every target that it speaks of is known to be there or not."""
    if ledger.unsettled:
        entries = list(ledger.unsettled.values())
        found = targets_held(target, entries)
        ours = [
            entry.target for entry, held in zip(entries, found, strict=True) if held and held.digest == entry.digest
        ]
        ledger.settled(ours, [entry.target for entry in entries if entry.target not in ours])
    for name in list(ledger.staged):
        answered(ask(target, [("DEL", staging_key(name))]))
        ledger.unstaged(name)


def targets_held(client: "redis.Redis", entries: Sequence[LedgerEntry]) -> list[Side | None]:
    """Read what stands under the targets of some entries, to the last byte."""
    facts = key_facts(client, database_of(client), [entry.target.encode() for entry in entries])
    found = digests(client, facts)
    return sides(facts, found)


def sides(facts: Sequence[KeyFacts | None], found: Sequence[str | None]) -> list[Side | None]:
    """Return what is to be compared of each key, None for one that holds nothing."""
    return [Side(digest, one.expires_ms) if one and digest else None for one, digest in zip(facts, found, strict=True)]
