"""A plan as lines of JSON: a header, a line a key, an end that holds the checksum of all before it."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from trading_platform.errors import MigrationFileDamaged
from trading_platform.migration.decisions import PlannedKey, Reason, Status

VERSION = 1


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """For what a plan holds; `created_ms` is since the epoch and anchors the lifetimes of converted values."""

    layout: str
    rules: str
    source: str
    target: str
    created_ms: int
    version: int = VERSION


def header_line(header: PlanHeader) -> bytes:
    """Write the first line."""
    return orjson.dumps({"plan": asdict(header)}) + b"\n"


def read_header(line: bytes) -> PlanHeader:
    """Read the first line; raise MigrationFileDamaged."""
    try:
        header = PlanHeader(**orjson.loads(line)["plan"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise MigrationFileDamaged(f"the plan begins with no header ({error!r}): plan again") from None
    if header.version != VERSION:
        raise MigrationFileDamaged(f"the plan has version {header.version}, this program reads {VERSION}: plan again")
    return header


def key_line(line: PlannedKey) -> bytes:
    """Write the line of a key; what is empty is left out."""
    told: dict[str, Any] = {
        "db": line.database,
        "keys": line.keys,
        "type": line.kind,
        "bytes": line.size,
        "expires_ms": line.expires_ms,
        "status": line.status,
        "family": line.family,
        "target": line.target,
        "reason": line.reason.name if line.reason else None,
        "detail": line.detail,
    }
    return orjson.dumps({name: value for name, value in told.items() if value not in {None, ""}}) + b"\n"


def read_key(line: bytes) -> PlannedKey:
    """Read the line of a key."""
    told = orjson.loads(line)
    reason = told.get("reason")
    return PlannedKey(
        told["db"],
        tuple(told["keys"]),
        told["type"],
        told["bytes"],
        told.get("expires_ms"),
        Status(told["status"]),
        family=told.get("family", ""),
        target=told.get("target", ""),
        reason=Reason[reason] if reason else None,
        detail=told.get("detail", ""),
    )


class PlanDigest:
    """The checksum of a plan's lines as they are written or read."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines = 0

    def add(self, line: bytes) -> bytes:
        """Fold a line in and return it."""
        self._hash.update(line)
        self._lines += 1
        return line

    def end_line(self) -> bytes:
        """Write the last line."""
        return orjson.dumps({"end": {"lines": self._lines, "sha256": self._hash.hexdigest()}}) + b"\n"
