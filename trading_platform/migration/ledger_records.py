"""A ledger as lines of JSON, each with a checksum over itself and the line before it: none can be changed or left out.

`opened` names the servers. `writing` stands before values are written and `written` behind them, so that after a kill
it is known what may be there; `staging` stands before a large value is put together under a name of ours; `removed`
tells what a rollback deleted.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from trading_platform.errors import MigrationFileDamaged

FIRST_SUM = "0" * 16


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One target: what it is made of, the digest of its value, and when it expires (ms since the epoch)."""

    target: str
    database: int
    keys: tuple[str, ...]
    family: str
    digest: str
    expires_ms: int | None
    source_expires_ms: int | None
    """When the first of its sources expires, None: none of them does."""

    def packed(self) -> list[Any]:
        """Return the entry as it stands in a line."""
        ends = (self.expires_ms, self.source_expires_ms)
        return [self.target, self.database, list(self.keys), self.family, self.digest, *ends]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> "LedgerEntry":
        """Read an entry."""
        target, database, keys, family, digest, expires_ms, source_expires_ms = packed
        return cls(target, database, tuple(keys), family, digest, expires_ms, source_expires_ms)


def ledger_line(body: dict[str, Any], sum_before: str) -> tuple[bytes, str]:
    """Write a line; return it and its checksum."""
    raw = orjson.dumps(body)
    checksum = _sum(sum_before, raw)
    return b'{"sum":"' + checksum.encode() + b'","body":' + raw + b"}\n", checksum


def read_ledger_line(line: bytes, sum_before: str) -> tuple[dict[str, Any], str]:
    """Read a whole line; return its content and checksum; raise MigrationFileDamaged."""
    try:
        told = orjson.loads(line)
        body, checksum = told["body"], told["sum"]
        # orjson writes what it read byte for byte: only texts, whole numbers, lists and null stand in a ledger
        whole = line.endswith(b"\n") and checksum == _sum(sum_before, orjson.dumps(body))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        whole = False
    if not whole:
        raise MigrationFileDamaged("a line that fails its checksum")
    return body, checksum


def _sum(sum_before: str, raw: bytes) -> str:
    return hashlib.sha256(sum_before.encode() + raw).hexdigest()[: len(FIRST_SUM)]
