"""One instrument of a recorded session, recomputed, beside what a real server and a real lake hold of it."""

import struct
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.replay import replay_session
from trading_platform.errors import BadQuestion, MissingInput
from trading_platform.inspection.report import Report, as_values
from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.storage.journal import JournalWriter
from trading_platform.storage.record_source import JournalRecords
from trading_platform.wire.blocks import content_hash
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.records import INDICATOR
from trading_platform_tests.inspection.made import Place, make_place
from trading_platform_tests.session_data import SESSION, SHARD, TOKENS, make_session

TOKEN, SYMBOL = TOKENS[1], "NAME1"


def told(report: Report, store: str) -> str:
    return next(one.told for one in report.compared if one.store == store)


def named(report: Report) -> list[tuple[str, str]]:
    return [(one.store, one.what) for one in report.differences]


def naive_packets(place: Place, token: int, until_ns: int | None = None) -> list[tuple[int, int, int]]:
    """Return record, received_ns and price in paise of each packet of a token, by hand."""
    found = []
    for number, item in enumerate(place.data.items, 1):
        if item.control is not None or len(item.payload) < 2 or (until_ns and item.received_ns > until_ns):
            continue
        at = 2
        while at < len(item.payload):
            (length,) = struct.unpack_from(">H", item.payload, at)
            seen, paise = struct.unpack_from(">Ii", item.payload, at + 2)
            if seen == token:
                found.append((number, item.received_ns, paise))
            at += 2 + length
    return found


def test_all_stores_agree_with_the_journal(place: Place) -> None:
    report = place.ask(SYMBOL)
    assert report.differences == ()
    compared = {one.store: one.rows for one in report.compared}
    assert compared["Redis"] == len(report.bars) + len(report.signals) + sum(bar.ema_20 > 0 for bar in report.bars)
    assert compared["lake minute_bars"] == len({bar.start for bar in report.bars if bar.interval == 1})
    assert compared["conditions"] == compared["lake patterns"] == len(report.signals)
    assert len(report.signals) > 0
    assert told(report, "Redis").endswith("latest and features")
    assert told(report, "lake volume_baselines").startswith("holds nothing")


def test_the_last_packets_are_those_that_came_last(place: Place) -> None:
    expected = naive_packets(place, TOKEN)[-5:]
    report = place.ask(SYMBOL)
    found = [(one.record, one.received_ns, round(one.fields["last_price"] * 100)) for one in report.packets]
    assert found == expected
    assert all(one.body[:4] == TOKEN.to_bytes(4, "big") for one in report.packets)
    assert report.subject.at == from_ns(place.data.items[-1].received_ns)
    assert report.age_seconds(expected[-1][1]) == (place.data.items[-1].received_ns - expected[-1][1]) / NS_PER_SECOND


def test_bars_indicators_and_signals_are_those_of_the_replay(place: Place) -> None:
    replayed = replay_session(JournalRecords(place.settings.journal_dir, SHARD, SESSION), SESSION)
    report = place.ask(SYMBOL)
    mine = replayed.bars.filter(pl.col("symbol") == SYMBOL)
    assert [(bar.start, bar.interval, bar.revision, bar.close) for bar in report.bars] == list(
        mine.select("start", "interval", "revision", "close").iter_rows()
    )
    known = {bar.record: bar.known_after_seconds for bar in report.bars}
    received = {number: item.received_ns for number, item in enumerate(place.data.items, 1)}
    for bar in report.bars:
        end = bar.start + timedelta(minutes=bar.interval)
        assert from_ns(received[bar.record]) - end == timedelta(seconds=round(known[bar.record], 6))
        break
    signals = replayed.signals.filter(pl.col("symbol") == SYMBOL)
    assert [(one.pattern, one.formed_at, one.entry_ref) for one in report.signals] == list(
        signals.select("pattern", "formed_at", "entry_ref").iter_rows()
    )


def test_the_baseline_is_the_one_that_the_journal_names(place: Place) -> None:
    content = next(item.content for item in place.data.items if item.control is ControlType.BASELINE)
    report = place.ask(SYMBOL)
    assert content is not None
    assert report.baseline.sha256 == content_hash(content)
    assert report.baseline.version == content_hash(content)[:16]
    assert report.baseline.loaded_at_record == 6
    assert (report.baseline.sessions_used, report.baseline.last_session) == (1, date(2016, 8, 16))


def test_a_moment_cuts_off_what_came_later(place: Place) -> None:
    report = place.ask(SYMBOL, at="09:27:30")
    until_ns = int(report.subject.at.timestamp()) * NS_PER_SECOND
    assert f"{report.subject.at:%H:%M:%S}" == "09:27:30"
    assert [one.record for one in report.packets] == [one[0] for one in naive_packets(place, TOKEN, until_ns)[-5:]]
    assert max(bar.start for bar in report.bars if bar.interval == 1) == report.subject.at.replace(minute=26, second=0)
    assert report.differences == ()
    assert "not latest" in told(report, "Redis")
    assert report.engine_behind_seconds is None
    running = {(one.interval, one.start.minute) for one in report.standing.running}
    assert (1, 27) in running


def test_a_bar_that_was_revised_later_is_no_difference(place: Place) -> None:
    revised = next(bar for bar in place.ask(SYMBOL).bars if bar.interval == 1 and bar.revision == 1)
    before = place.data.items[revised.record - 2].received_ns
    report = place.ask(SYMBOL, at=from_ns(before).isoformat())
    assert revised.start in {bar.start for bar in report.bars}
    assert all(bar.revision == 0 for bar in report.bars if bar.start == revised.start)
    assert report.differences == ()


def test_an_index_has_no_baseline_and_says_why(place: Place) -> None:
    report = place.ask("NSE:NIFTY 50")
    assert report.subject.kind == "index"
    assert all(np.isnan(bar.rvol_bar) for bar in report.bars)
    assert report.differences == ()


def test_values_are_json_with_the_names_of_the_report(place: Place) -> None:
    values = as_values(place.ask(SYMBOL, why_not="breakout"))
    assert values["subject"]["symbol"] == SYMBOL
    assert values["packets"][-1]["body"][:8] == f"{TOKEN:08x}"
    assert values["packets"][-1]["fields"]["mode"] == 3
    assert values["bars"][-1]["open"] > 0
    assert {step["interval"] for step in values["steps"]} == {1, 5}
    assert {one["pattern"] for step in values["history"] for one in step["patterns"]} == {"breakout"}
    assert values["differences"] == []


def test_what_fired_is_what_was_signalled(place: Place) -> None:
    for pattern in ("volume_spike", "breakout", "vwap_cross"):
        for symbol in ("NAME0", "NAME1", "NAME2"):
            report = place.ask(symbol, why_not=pattern)
            fired = [
                (step.interval, step.start, one.direction)
                for step in report.history
                for one in step.patterns
                if one.fires
            ]
            signals = [(s.interval, s.formed_at, s.direction) for s in report.signals if s.pattern == pattern]
            assert sorted(fired) == sorted(signals)
            for step in report.history:
                for one in step.patterns:
                    assert one.fires is False or one.held == len(one.conditions)


def test_questions_that_cannot_be_answered_say_what_can(place: Place) -> None:
    with pytest.raises(BadQuestion, match="the nearest are NAME"):
        place.ask("NAME9")
    with pytest.raises(BadQuestion, match=f"journals of {SESSION}"):
        place.ask(SYMBOL, session="2016-08-18")
    with pytest.raises(BadQuestion, match="no socket carried NSE:NAME1"):
        place.ask(SYMBOL, at="08:00")


def test_a_server_that_is_gone_leaves_journal_and_lake(tmp_path: Path) -> None:
    made = make_place(tmp_path, make_session(5, minutes=8))
    made.manager.stop_server()
    report = made.ask(SYMBOL)
    assert report.differences == ()
    assert told(report, "Redis").startswith("away, not compared: embedded Valkey in")
    assert told(report, "lake minute_bars").startswith("rows up to record")
    assert report.engine_behind_seconds is None


def test_a_torn_tail_is_said_and_redis_knows_more_than_the_journal(tmp_path: Path) -> None:
    data = make_session(5, minutes=8, closed=False)
    made = make_place(tmp_path, data, packed=False)
    try:
        (segment,) = (tmp_path / "journal").rglob("*.journal")
        segment.write_bytes(segment.read_bytes()[:-20])
        report = made.ask(SYMBOL)
        assert any("no whole record" in note for note in report.notes)
        assert report.subject.last_record == len(data) - 1
        assert named(report) == [("Redis", "last record")]
    finally:
        made.manager.stop_server()


def test_a_damaged_journal_is_read_on_and_named(tmp_path: Path) -> None:
    made = make_place(tmp_path, make_session(5, minutes=8), packed=False)
    try:
        (segment,) = (tmp_path / "journal").rglob("*.journal")
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 1
        segment.write_bytes(content)
        report = made.ask(SYMBOL)
        assert named(report)[0] == ("journal", "damage")
        assert "record" in report.differences[0].stored
    finally:
        made.manager.stop_server()


def test_a_journal_without_instruments_is_no_session_yet(tmp_path: Path) -> None:
    data = make_session(5, minutes=1)
    made = make_place(tmp_path / "whole", data)
    made.manager.stop_server()
    settings = made.settings.model_copy(update={"data_dir": tmp_path / "new"})
    with JournalWriter.open(settings.journal_dir, SHARD, SESSION) as writer:
        data.write_to(writer, 2)
    begun = Place(settings, data, made.manager)
    with pytest.raises(MissingInput, match="names no instruments"):
        begun.ask(SYMBOL)
    assert INDICATOR.name == "indicator"
