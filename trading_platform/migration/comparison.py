"""Compare one key of the source with what stands in the target: equal, or in what they differ."""

from dataclasses import dataclass
from enum import StrEnum

from trading_platform.migration.ledger_records import LedgerEntry

EXPIRY_TOLERANCE_MS = 1000


class Equal(StrEnum):
    """What is as it should be."""

    SAME = "equal"
    BOTH_EXPIRED = "expired on both sides as due"
    SOURCE_EXPIRED = "source expired as due, target as it was written"
    TARGET_EXPIRED = "the lifetime that the plan gave is over"


class Difference(StrEnum):
    """What is not."""

    MISSING = "missing in the target"
    SOURCE_GONE = "gone from the source before its time"
    TARGET_CHANGED = "the target was changed since it was written"
    SOURCE_CHANGED = "the source was changed since it was copied"
    BOTH_CHANGED = "both were changed since"
    EXPIRY = "they expire at different times"
    NOT_WRITTEN = "planned, and not written"
    NEW = "new in the source since the plan"


@dataclass(frozen=True, slots=True)
class Side:
    """What one side holds: a digest, and when it expires (ms since the epoch)."""

    digest: str
    expires_ms: int | None


def compare(
    entry: LedgerEntry, source: Side | None, target: Side | None, *, is_converted: bool, now_ms: int
) -> Equal | Difference:
    """Compare both sides with each other and with what was written; None is a side that holds nothing."""
    source_due, target_due = (_is_due(moment, now_ms) for moment in (entry.source_expires_ms, entry.expires_ms))
    if target is None:
        if source is None:
            return Equal.BOTH_EXPIRED if source_due and target_due else Difference.MISSING
        return Equal.TARGET_EXPIRED if is_converted and target_due else Difference.MISSING
    as_written = target.digest == entry.digest
    if source is None:
        if not as_written:
            return Difference.TARGET_CHANGED
        outcome: Equal | Difference = Equal.SOURCE_EXPIRED if source_due else Difference.SOURCE_GONE
    elif source.digest != target.digest:
        if as_written:
            return Difference.SOURCE_CHANGED
        return Difference.TARGET_CHANGED if source.digest == entry.digest else Difference.BOTH_CHANGED
    else:
        outcome = Equal.SAME
    expected = entry.expires_ms if is_converted or source is None else source.expires_ms
    return outcome if _is_near(expected, target.expires_ms) else Difference.EXPIRY


def _is_due(expires_ms: int | None, now_ms: int) -> bool:
    return expires_ms is not None and expires_ms <= now_ms + EXPIRY_TOLERANCE_MS


def _is_near(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= EXPIRY_TOLERANCE_MS
