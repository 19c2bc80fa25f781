"""Every combination of what two sides can hold, against what was written."""

import pytest

from trading_platform.migration.comparison import Difference, Equal, Side, compare
from trading_platform.migration.ledger_records import LedgerEntry

NOW = 1_764_570_000_000
PAST, FUTURE = NOW - 60_000, NOW + 60_000


def entry(expires: int | None, source_expires: int | None) -> LedgerEntry:
    return LedgerEntry("t", 1, ("k",), "f", "as written", expires, source_expires)


def of(text: str | None, expires: int | None = None) -> Side | None:
    return None if text is None else Side(text, expires)


KEPT, DUE, LATER = entry(None, None), entry(PAST, PAST), entry(FUTURE, FUTURE)


@pytest.mark.parametrize(
    ("written", "source", "target", "outcome"),
    [
        (KEPT, of("as written"), of("as written"), Equal.SAME),
        (KEPT, of("new"), of("new"), Equal.SAME),
        (KEPT, of("as written"), of(None), Difference.MISSING),
        (KEPT, of(None), of(None), Difference.MISSING),
        (LATER, of(None), of(None), Difference.MISSING),
        (DUE, of(None), of(None), Equal.BOTH_EXPIRED),
        (DUE, of("as written"), of(None), Difference.MISSING),
        (KEPT, of(None), of("as written"), Difference.SOURCE_GONE),
        (LATER, of(None), of("as written", FUTURE), Difference.SOURCE_GONE),
        (DUE, of(None), of("as written", PAST), Equal.SOURCE_EXPIRED),
        (DUE, of(None), of("as written"), Difference.EXPIRY),
        (DUE, of(None), of("other", PAST), Difference.TARGET_CHANGED),
        (KEPT, of("new"), of("as written"), Difference.SOURCE_CHANGED),
        (KEPT, of("as written"), of("other"), Difference.TARGET_CHANGED),
        (KEPT, of("new"), of("other"), Difference.BOTH_CHANGED),
        (LATER, of("as written", FUTURE), of("as written", FUTURE + 900), Equal.SAME),
        (LATER, of("as written", FUTURE), of("as written", FUTURE + 1100), Difference.EXPIRY),
        (LATER, of("as written", FUTURE), of("as written"), Difference.EXPIRY),
        (KEPT, of("as written"), of("as written", FUTURE), Difference.EXPIRY),
    ],
)
def test_a_renamed_key(written: LedgerEntry, source: Side | None, target: Side | None, outcome: object) -> None:
    assert compare(written, source, target, is_converted=False, now_ms=NOW) == outcome


@pytest.mark.parametrize(
    ("written", "source", "target", "outcome"),
    [
        (entry(FUTURE, None), of("as written"), of("as written", FUTURE), Equal.SAME),
        (entry(FUTURE, PAST), of(None), of("as written", FUTURE), Equal.SOURCE_EXPIRED),
        (entry(PAST, None), of("as written"), of(None), Equal.TARGET_EXPIRED),
        (entry(FUTURE, None), of("as written"), of(None), Difference.MISSING),
        (entry(None, PAST), of("as written", FUTURE), of("as written", FUTURE), Difference.EXPIRY),
    ],
)
def test_a_converted_key_expires_by_the_plan(
    written: LedgerEntry, source: Side | None, target: Side | None, outcome: object
) -> None:
    assert compare(written, source, target, is_converted=True, now_ms=NOW) == outcome
