from typing import Any

import pytest

from trading_platform.migration.conversions import Source
from trading_platform.migration.decisions import (
    KeyFacts,
    Match,
    PlannedKey,
    Reason,
    Status,
    decoded,
    is_converted,
    lifetime_seconds,
    match,
    merged,
    renamed,
)
from trading_platform.migration.layouts import layout_named
from trading_platform.migration.rules import Conversion, Layout, convert, rename
from trading_platform.migration.typed_values import TypedValue
from trading_platform.wire.redis_keys import SESSION_SECONDS
from trading_platform_tests.migration.legacy_databases import VIX_SPELLINGS, dump_of

L4 = layout_named("L4")


def facts(key: str | bytes, kind: str = "hash", *, database: int = 1, size: int = 100) -> KeyFacts:
    raw = key.encode() if isinstance(key, str) else key
    return KeyFacts(database, raw, kind, 1_764_570_000_000, size)


def matched(key: str, kind: str = "hash") -> Match:
    found = match(L4, facts(key, kind))
    assert isinstance(found, Match)
    return found


@pytest.mark.parametrize(
    ("given", "reason", "detail"),
    [
        (facts("ticks:latest:INFY", database=7), Reason.DATABASE, ""),
        (facts(b"ticks:latest:\xff"), Reason.NOT_UTF8, ""),
        (facts("ticks:latest:NSE"), Reason.NO_RULE, ""),
        (facts("ticks:latest:INFY", "list"), Reason.WRONG_TYPE, "list, not hash"),
        (facts("ohlc:NSE:INFY:1d", "TSDB-TYPE"), Reason.MODULE_TYPE, "TSDB-TYPE"),
        (facts("sys:json", "ReJSON-RL"), Reason.MODULE_TYPE, "ReJSON-RL"),
        (facts("vol:baseline:INFY", size=(1 << 20) + 1), Reason.TOO_LARGE, "1048577"),
        (facts("broker_token:admin", "string", database=0), Reason.LEFT, "access token"),
    ],
)
def test_a_key_that_is_not_taken_says_why(given: KeyFacts, reason: Reason, detail: str) -> None:
    found = match(L4, given)
    assert isinstance(found, PlannedKey)
    assert found.reason is reason
    assert detail in found.detail
    assert found.status is (Status.LEAVE if reason is Reason.LEFT else Status.UNMATCHED)
    assert found.target == ""
    assert (found.database, found.kind, found.size) == (given.database, given.kind, given.size)


def test_a_key_that_two_rules_take_is_not_guessed_about() -> None:
    class Loose(Layout):
        def __post_init__(self) -> None:
            """Let a contradiction pass that the table would refuse."""

    layout = Loose("L9", {1: (rename("one", "a:{symbol}"), rename("other", "a:{id}"))})
    found = match(layout, facts("a:INFY"))
    assert isinstance(found, PlannedKey)
    assert (found.reason, found.detail) == (Reason.AMBIGUOUS, "one, other")


def test_a_renamed_key_keeps_its_facts() -> None:
    line = renamed(L4, matched("ticks:latest:NFO:NIFTY25DECFUT"))
    assert line == PlannedKey(
        1,
        ("ticks:latest:NFO:NIFTY25DECFUT",),
        "hash",
        100,
        1_764_570_000_000,
        Status.TAKE,
        family="ticks_latest",
        target="legacy:l4:ticks_latest:NFO:NIFTY25DECFUT",
    )
    assert not is_converted(L4, line.family)


def source(key: str, *items: tuple[bytes, bytes]) -> Source:
    return Source(key, matched(key).fields, TypedValue("hash", list(items)))


def test_a_value_is_decoded_before_it_is_promised() -> None:
    good = decoded(L4, matched("vol:baseline:INFY"), source("vol:baseline:INFY", (b"value", b"1")), dump_of)
    assert (good.status, good.target) == (Status.TAKE, "legacy:l4:vol_baseline:INFY")
    bad = decoded(L4, matched("vol:baseline:INFY"), source("vol:baseline:INFY", (b"value", b"x")), dump_of)
    assert (bad.status, bad.reason, bad.target) == (Status.UNMATCHED, Reason.UNDECODABLE, "")
    nameless = source("vol:state:7", (b"session_date", b"2025-12-01"), (b"last_cumulative", b"1"))
    lost = decoded(L4, matched("vol:state:7"), nameless, dump_of)
    assert (lost.status, lost.reason) == (Status.UNMATCHED, Reason.NO_INSTRUMENT)
    assert "no token 7" in lost.detail


def spellings(*values: bytes) -> tuple[list[PlannedKey], list[Source]]:
    keys = [key for key in VIX_SPELLINGS if key.startswith("index:")][: len(values)]
    sources = [source(key, (b"ltp", value)) for key, value in zip(keys, values, strict=True)]
    lines = [decoded(L4, matched(one.key), one, dump_of) for one in sources]
    return lines, sources


def test_spellings_of_the_vix_become_one_line() -> None:
    lines, sources = spellings(b"12", b"12.0", b"1.2e1")
    assert {line.target for line in lines} == {"legacy:l4:india_vix"}
    (line,) = merged(lines, sources)
    assert line.keys == tuple(sorted(one.key for one in sources))
    assert (line.family, line.size, line.status) == ("india_vix", 300, Status.TAKE)
    assert merged([], []) == []


def test_spellings_that_contradict_each_other_are_all_set_aside() -> None:
    found = merged(*spellings(b"12", b"13"))
    assert [(line.status, line.reason, line.target) for line in found] == [(Status.UNMATCHED, Reason.CONFLICT, "")] * 2
    assert all("12.0" in line.detail and "13.0" in line.detail for line in found)


def test_lifetimes_are_those_of_our_catalogue() -> None:
    assert lifetime_seconds(L4, "vol_state") == lifetime_seconds(L4, "india_vix") == SESSION_SECONDS
    assert lifetime_seconds(L4, "vol_baseline") is None
    layout: Any = Layout("L9", {1: (convert("a", "a:{symbol}", Conversion.NUMBERS, lifetime_seconds=5, why=""),)})
    assert lifetime_seconds(layout, "a") == 5
