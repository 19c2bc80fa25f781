"""What Redis or the lake say otherwise than the journal is named, each value with both sides."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.record_loop import Limit
from trading_platform.calc.session_pass import SessionPass
from trading_platform.inspection.report import Report
from trading_platform.inspection.steps import steps_of
from trading_platform.inspection.trace import trace_instrument
from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.storage.record_source import JournalRecords
from trading_platform.wire import redis_keys
from trading_platform.wire.records import BAR, LATEST, SIGNAL, pack_rows, unpack_rows
from trading_platform_tests.inspection.made import Place, run_engine
from trading_platform_tests.session_data import SESSION, SHARD, TOKENS

TOKEN, SYMBOL = TOKENS[1], "NAME1"
KEYS = {make.__name__: make(SHARD, SESSION) for make in (redis_keys.bars, redis_keys.signals, redis_keys.latest)}


def told(report: Report, store: str) -> str:
    return next(one.told for one in report.compared if one.store == store)


def named(report: Report) -> list[tuple[str, str]]:
    return [(one.store, one.what) for one in report.differences]


@pytest.fixture
def changed_bar(place: Place) -> Iterator[str]:
    """Raise the close of the last bar of NAME1 in Redis by a paisa; say which."""
    entries = place.client.xrange(KEYS["bars"])
    held = place.client.dump(KEYS["bars"])
    entry, fields = next(
        (entry, fields) for entry, fields in reversed(entries) if TOKEN in unpack_rows(BAR, fields[b"bars"])["token"]
    )
    rows = unpack_rows(BAR, fields[b"bars"]).copy()
    at = int(np.flatnonzero(rows["token"] == TOKEN)[-1])
    rows["close"][at] += 0.01
    place.client.delete(KEYS["bars"])
    for one, values in entries:
        given = {**values, b"bars": pack_rows(BAR, rows)} if one == entry else values
        place.client.xadd(KEYS["bars"], given, id=one)
    start = from_ns(int(rows["start"][at]) * NS_PER_SECOND)
    yield f"{start:%H:%M} {rows['interval'][at]} min"
    place.client.delete(KEYS["bars"])
    place.client.restore(KEYS["bars"], 0, held)


def test_a_changed_bar_in_redis_is_named_with_both_values(place: Place, changed_bar: str) -> None:
    (one,) = place.ask(SYMBOL).differences
    assert (one.store, one.what) == ("Redis", f"bar {changed_bar}: close")
    assert one.stored == one.journal + 0.01
    assert place.ask("NAME2").differences == ()


def test_a_changed_last_packet_in_redis_is_named(place: Place) -> None:
    rows = unpack_rows(LATEST, place.client.hget(KEYS["latest"], TOKEN)).copy()
    rows["bid_price"] += 0.05
    with place.redis_with(KEYS["latest"], "HSET", KEYS["latest"], TOKEN, pack_rows(LATEST, rows)):
        assert named(place.ask(SYMBOL)) == [("Redis", "latest: bid_price")]
    with place.redis_with(KEYS["latest"], "HDEL", KEYS["latest"], TOKEN):
        assert named(place.ask(SYMBOL)) == [("Redis", "latest")]


def test_a_lost_signal_and_a_made_up_one_are_named(place: Place) -> None:
    entries = place.client.xrange(KEYS["signals"])
    mine = [entry for entry, fields in entries if unpack_rows(SIGNAL, fields[b"signal"])["token"][0] == TOKEN]
    with place.redis_with(KEYS["signals"], "XDEL", KEYS["signals"], mine[-1]):
        (one,) = place.ask(SYMBOL).differences
        assert one.what.startswith("signal ")
        assert (one.journal, one.stored) == ("a row", "no such row")


def test_features_that_differ_are_named(place: Place) -> None:
    key = redis_keys.features(SHARD, SESSION)
    entries = [entry for entry, fields in place.client.xrange(key)]
    with place.redis_with(key, "XTRIM", key, "MAXLEN", "=", 60):
        assert place.ask(SYMBOL).differences == ()  # a window that is shorter
    with place.redis_with(key, "XDEL", key, *entries[-30:-1]):
        assert {what.split(" of ")[0] for _, what in named(place.ask(SYMBOL))} == {"features"}


def test_what_stands_in_redis_and_is_not_ours_is_named(place: Place) -> None:
    with place.redis_with(KEYS["latest"], "HSET", KEYS["latest"], TOKEN, b"nonsense"):
        (one,) = place.ask(SYMBOL).differences
        assert "too short for a block of latest rows" in one.stored


@pytest.mark.parametrize(
    ("table", "column", "what"),
    [
        ("minute_bars", "high", "bar "),
        ("indicator_snapshots", "rsi_14", "indicator "),
        ("patterns", "stop", "signal "),
    ],
)
def test_a_changed_value_in_the_lake_is_named(place: Place, table: str, column: str, what: str) -> None:
    last = (pl.col("symbol") == SYMBOL) & pl.col(column).is_not_null()
    at = pl.col("record") == pl.col("record").filter(last).max()
    with place.lake_with(table, pl.when(last & at).then(pl.col(column) + 0.5).otherwise(pl.col(column)).alias(column)):
        report = place.ask(SYMBOL)
        assert {one.store for one in report.differences} == {f"lake {table}"}
        assert all(one.what.startswith(what) and one.what.endswith(f": {column}") for one in report.differences)
        assert all(one.stored == one.journal + 0.5 for one in report.differences)
        assert place.ask("NAME2").differences == ()


def test_bars_that_are_no_journals_are_not_compared(place: Place) -> None:
    with place.lake_with("minute_bars", pl.lit("file").alias("source")):
        report = place.ask(SYMBOL)
        assert report.differences == ()
        assert told(report, "lake minute_bars").startswith("not compared: this session's rows were made from file")


def test_an_engine_that_is_behind_is_compared_where_it_stands(place: Place) -> None:
    upto = len(place.data) * 2 // 3
    run_engine(place.settings, place.manager, upto)
    try:
        report = place.ask(SYMBOL)
        assert report.differences == ()
        assert told(report, "Redis") == f"rows up to record {upto:,}, latest and features"
        behind_ns = place.data.items[-1].received_ns - place.data.items[upto - 1].received_ns
        assert report.engine_behind_seconds == behind_ns / NS_PER_SECOND
    finally:
        run_engine(place.settings, place.manager)


def test_what_fires_and_was_not_signalled_is_a_difference(place: Place) -> None:
    source = JournalRecords(place.settings.journal_dir, SHARD, SESSION)
    state = SessionPass(SESSION, source.blob)
    found = trace_instrument(state, source, TOKEN, limit=Limit(), latest_at=None, mark=1, features_kept=1)
    signals = len(found.of(SIGNAL))
    assert steps_of(found)[1].differences == ()
    found.rows[SIGNAL] = found.rows[SIGNAL][:-1]
    lost = signals - len(found.of(SIGNAL))
    _, compared = steps_of(found)
    assert lost > 0
    assert [(one.store, one.journal, one.stored) for one in compared.differences] == [
        ("conditions", "no such row", "a row")
    ] * lost
