"""The feed as a process, against a server that numbers its frames: what is missing after a kill stands as a gap."""

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from trading_platform.batch.reference import choose_universe, universe_rows
from trading_platform.batch.replay import replay_session
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.cli.feed_inputs import read_day, session_times
from trading_platform.cli.main import app
from trading_platform.errors import SettingsError
from trading_platform.market.clock import NS_PER_SECOND, pause, to_ns
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire.journal_records import ControlType, RecordKind
from trading_platform_tests.cli.feed_process import FILL_DISK, FREE_DISK, QUICK, FileClock, start_command
from trading_platform_tests.cli.feed_rig import (
    NAMES,
    SESSION,
    SHARD,
    TOKENS,
    NumberedFeed,
    Records,
    at,
    runs_missing,
    stock,
)
from trading_platform_tests.kite.exchange import GOOD_TOKEN, number_in, running_exchange, wait_until

EXPIRED = "secret-expired"
TABLE = load_session_table()
LATER = stock(7, "LATER")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()


@pytest.fixture
def feed(tmp_path: Path, store: RedisManager) -> Iterator[NumberedFeed]:
    client = store.connect()
    client.flushall()
    clock = FileClock(tmp_path / "clock.json")
    clock.set(at(10, 0))
    with running_exchange() as exchange:
        url = f"unix://{client.connection_pool.connection_kwargs['path']}"
        rig = NumberedFeed(tmp_path, exchange.root, clock, url, exchange=exchange)
        rig.write_dump(NAMES)
        yield rig
        rig.kill()
    assert "secret-" not in rig.log.read_text()


def test_a_day_from_connection_to_stop(feed: NumberedFeed) -> None:
    feed.start()
    feed.wait_for_frames(30)
    feed.wait_until(lambda: feed.snapshot().get("last_record", 0) > 30)
    snapshot = feed.snapshot()
    assert feed.end(signal.SIGTERM) == 0
    records = feed.records()
    kinds = [record.control.type for record in records if record.kind == RecordKind.CONTROL]
    assert kinds == [
        ControlType.SESSION_OPENED,
        ControlType.SETTINGS,
        ControlType.SESSION_TABLE,
        ControlType.INSTRUMENTS,
        ControlType.CONNECTED,
        ControlType.SUBSCRIBED,
        ControlType.GAP,
        ControlType.DISCONNECTED,
    ]
    [late] = feed.controls(ControlType.GAP)
    first = next(record for record in records if record.is_data)
    assert late.control.fields == {
        "from_ns": at(9, 15),
        "until_ns": first.received_ns,
        "tokens": TOKENS,
        "reason": "it was not subscribed before",
    }
    assert records[-1].control.fields["reason"] == "stopped"
    assert runs_missing(feed.numbers()) == []
    assert set(feed.numbers()) <= set(feed.exchange.sent)
    assert len(feed.exchange.clients[0].messages) == 2
    assert snapshot["state"] == "recording"
    assert snapshot["lost"] == {"queue_full_frames": 0, "queue_full_bytes": 0, "after_end": 0, "unwritten": 0}
    assert snapshot["latency_ms"]["journal"]["count"] > 0
    assert (feed.data / "feed" / f"{SHARD}.json").stat().st_mode & 0o777 == 0o600
    assert feed.subscriptions() == [TOKENS]


def test_killed_at_random_one_run_is_missing_each_time_and_stands_as_a_gap(feed: NumberedFeed) -> None:
    rng = random.Random(7)
    kills = 3
    for _ in range(kills):
        feed.start()
        feed.wait_for_frames(rng.randrange(5, 50))
        assert feed.end(signal.SIGKILL) == -signal.SIGKILL
        pause(rng.random() * 0.2)
    feed.start()
    feed.wait_for_frames(5)
    feed.clock.set(at(10, 30))  # the bars that are touched close
    feed.wait_until(lambda: feed.records()[-1].received_ns > at(10, 30))
    feed.end(signal.SIGTERM)
    records = feed.records()
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    missing = runs_missing(feed.numbers())
    gaps = feed.gaps()
    assert len(missing) == len(gaps) == kills
    data = [record for record in records if record.is_data]
    received = {number_in(record.body): record.received_ns for record in data}
    for (before, after), gap in zip(missing, gaps, strict=True):
        fields = gap.control.fields
        assert fields["tokens"] == TOKENS
        assert fields["from_ns"] == received[before]
        assert fields["until_ns"] == received[after]
        follower = records[gap.number]
        assert number_in(follower.body) == after
    # time has not gone on before it is known who was gone: no bar may close before that
    for lost in feed.controls(ControlType.DISCONNECTED)[:kills]:
        assert lost.received_ns == records[lost.number - 2].received_ns
    # all that was sent and is not in a gap was recorded
    kept = set(feed.numbers())
    for number in feed.exchange.sent:
        inside = any(before < number < after for before, after in missing)
        assert inside or number in kept or number > max(kept)
    state = replay_session(Records(feed), SESSION)
    assert state.counters["gaps"] >= kills
    touched = [
        bar
        for bar in state.bars.filter(pl.col("interval") == 1).iter_rows(named=True)
        if any(
            gap.control.fields["from_ns"] < to_ns(bar["start"]) + 60 * NS_PER_SECOND
            and gap.control.fields["until_ns"] > to_ns(bar["start"])
            for gap in gaps
        )
    ]
    assert touched
    assert all(bar["flags"] & BarFlag.GAP for bar in touched)
    assert len(feed.controls(ControlType.SESSION_OPENED)) == 1


def test_one_socket_lost_and_one_silent_leave_one_gap_each(feed: NumberedFeed) -> None:
    feed.start()
    feed.wait_for_frames(5)
    feed.exchange.drop_all()
    feed.wait_for_frames(5)
    feed.exchange.clients[-1].silent = True
    feed.wait_until(lambda: len(feed.controls(ControlType.DISCONNECTED)) == 2)
    feed.wait_for_frames(5)
    assert feed.end(signal.SIGINT) == 0
    assert len(feed.gaps()) == len(runs_missing(feed.numbers())) == 2
    assert [len(client.messages) for client in feed.exchange.clients] == [2, 2, 2]
    reasons = [record.control.fields["reason"] for record in feed.controls(ControlType.DISCONNECTED)]
    assert reasons[0].startswith("lost")
    assert reasons[1].startswith("silent")
    assert reasons[2] == "stopped"


def test_a_session_is_closed_after_its_last_phase_and_nothing_is_recorded_behind_it(feed: NumberedFeed) -> None:
    *_, ends_ns = session_times(read_day(Settings(data_dir=feed.data), SESSION), frozenset(TOKENS), TABLE)
    feed.clock.set(ends_ns - 60 * NS_PER_SECOND)
    feed.start(until_closed=True)
    feed.wait_for_frames(5)
    feed.clock.set(ends_ns)
    assert feed.wait() == 0
    records = list(feed.records())
    assert records[-1].is_control(ControlType.SESSION_CLOSED)
    assert records[-2].is_control(ControlType.DISCONNECTED)
    assert records[-1].received_ns >= ends_ns
    assert replay_session(Records(feed), SESSION).closed
    # a second start meets the closed session and leaves it alone
    attempts = len(feed.exchange.attempts)
    feed.start(until_closed=True)
    assert feed.wait() == 0
    assert feed.records() == records
    assert len(feed.exchange.attempts) == attempts
    assert "nothing more is recorded" in feed.log.read_text()


def test_a_refused_token_waits_visibly_and_another_one_ends_it(feed: NumberedFeed) -> None:
    feed.start(token=EXPIRED)
    feed.wait_until(lambda: "log in again" in feed.waiting())
    assert len(feed.exchange.attempts) == 1
    feed.write_token(GOOD_TOKEN)
    feed.wait_for_frames(5)
    feed.wait_until(lambda: feed.snapshot()["waiting"] is None)
    assert [token for _, token in feed.exchange.attempts] == [EXPIRED, GOOD_TOKEN]
    assert feed.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(("when", "says"), [((7, 0), "connecting at 08:45"), ((23, 50), "was over before")])
def test_a_closed_market_is_no_fault(feed: NumberedFeed, when: tuple[int, int], says: str) -> None:
    feed.clock.set(at(*when))
    feed.start()
    feed.wait_until(lambda: says in feed.waiting())
    assert feed.snapshot()["state"] == "idle"
    assert feed.end(signal.SIGTERM) == 0
    assert feed.exchange.attempts == []
    assert not (feed.data / "journal").exists()


def test_a_missing_dump_is_waited_for(feed: NumberedFeed) -> None:
    kept = feed.dump.read_bytes()
    feed.dump.unlink()
    feed.start()
    feed.wait_until(lambda: "no instrument dump of 2026-07-30" in feed.waiting())
    feed.dump.with_suffix(".unfinished").write_bytes(kept)
    feed.dump.with_suffix(".unfinished").replace(feed.dump)
    feed.wait_for_frames(5)
    assert feed.end(signal.SIGTERM) == 0


def test_the_universe_changes_by_control_records_and_messages(feed: NumberedFeed) -> None:
    feed.write_dump((*NAMES, LATER))
    day = InstrumentDay(SESSION, NAMES)
    Lake(feed.data / "lake").write_session(
        "subscription_universe", SESSION, universe_rows(choose_universe(day, {}), day)
    )
    feed.start()
    feed.wait_for_frames(5)
    gone, kept = TOKENS[-2:], TOKENS[:-2]
    feed.write_universe(add=[LATER.token, 5], remove=gone)
    feed.wait_until(lambda: len(feed.controls(ControlType.SUBSCRIBED)) == 3)
    feed.wait_for_frames(5)
    feed.write_universe(remove=gone[:1])
    feed.wait_until(lambda: len(feed.controls(ControlType.SUBSCRIBED)) == 5)
    feed.wait_for_frames(5)
    feed.end(signal.SIGTERM)
    assert feed.subscriptions() == [TOKENS, kept, [*kept, LATER.token], kept, [*kept, gone[1]]]
    [client] = feed.exchange.clients
    assert client.messages[2:] == [
        {"a": "unsubscribe", "v": gone},
        {"a": "subscribe", "v": [LATER.token]},
        {"a": "mode", "v": ["full", [LATER.token]]},
        {"a": "unsubscribe", "v": [LATER.token]},
        {"a": "subscribe", "v": [gone[1]]},
        {"a": "mode", "v": ["full", [gone[1]]]},
    ]
    assert "1 are not in the day's dump: 5" in feed.log.read_text()
    # nothing was lost; but what is subscribed again missed what was traded meanwhile
    [gap] = feed.gaps()
    assert gap.control.fields["tokens"] == [gone[1]]
    assert "not subscribed meanwhile" in gap.control.fields["reason"]
    assert feed.snapshot()["gaps"] == 1  # from the open to the first subscription


def test_a_token_that_is_removed_while_its_bar_is_open_leaves_that_bar_as_it_is(feed: NumberedFeed) -> None:
    feed.exchange.fair = True
    feed.clock.set(at(9, 0))
    feed.start()
    feed.wait_for_frames(5)
    feed.clock.set(at(10, 0))
    feed.wait_for_frames(20)
    feed.write_universe(remove=TOKENS[:1])
    feed.wait_until(lambda: len(feed.controls(ControlType.SUBSCRIBED)) == 2)
    feed.clock.set(at(10, 30))
    feed.wait_until(lambda: feed.records()[-1].received_ns > at(10, 30))
    feed.end(signal.SIGTERM)
    bars = replay_session(Records(feed), SESSION).bars.filter(pl.col("start").dt.hour() == 10, pl.col("interval") == 1)
    first = {row["token"]: row["flags"] for row in bars.sort("start", descending=True).iter_rows(named=True)}
    assert set(first) == set(TOKENS)
    assert not any(flags & BarFlag.GAP for flags in first.values())


def test_a_restart_in_the_middle_applies_the_file_before_it_subscribes(feed: NumberedFeed) -> None:
    feed.write_universe(remove=TOKENS[:1])
    feed.start()
    feed.wait_for_frames(5)
    feed.end(signal.SIGTERM)
    assert feed.subscriptions() == [TOKENS[1:]]
    assert [one["a"] for one in feed.exchange.clients[0].messages] == ["subscribe", "mode"]


def test_a_baseline_that_becomes_current_is_announced(feed: NumberedFeed, store: RedisManager) -> None:
    feed.start()
    feed.wait_for_frames(5)
    expected = {interval: np.ones((1, 2)) for interval in INTERVALS}
    block = BaselineBlock(SESSION, np.array([257], np.uint32), 555, expected, ()).encode()
    published = RedisStore(store.connect(), SHARD).publish_block("baseline", block)
    feed.wait_until(lambda: len(feed.controls(ControlType.BASELINE)) == 1)
    feed.end(signal.SIGTERM)
    assert feed.controls(ControlType.BASELINE)[0].control.sha256 == published
    assert runs_missing(feed.numbers()) == []


def test_without_a_key_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("TP_SETTINGS_FILE", str(tmp_path / "empty.toml"))
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("TP_KITE_API_KEY", raising=False)
    result = CliRunner().invoke(app, ["feed"])
    assert isinstance(result.exception, SettingsError)
    assert "TP_KITE_API_KEY" in str(result.exception)


def test_a_disk_that_is_full_for_a_while_costs_one_named_run(feed: NumberedFeed) -> None:
    feed.start(limits=replace(QUICK, queue_bytes=60_000))
    feed.wait_for_frames(5)
    feed.send(FILL_DISK)
    feed.exchange.frame_seconds = 0.001
    before = feed.exchange.number
    wait_until(lambda: feed.exchange.number > before + 800)
    feed.exchange.frame_seconds = 0.01
    feed.send(FREE_DISK)
    feed.wait_for_frames(5)
    assert feed.end(signal.SIGTERM) == 0
    [(last, first)] = runs_missing(feed.numbers())
    [gap] = feed.gaps()
    lost = first - last - 1
    assert lost > 100
    assert gap.control.fields["reason"].startswith(f"{lost} payloads")
    received = {number_in(record.body): record.received_ns for record in feed.records() if record.is_data}
    assert (gap.control.fields["from_ns"], gap.control.fields["until_ns"]) == (received[last], received[first])
    snapshot = feed.snapshot()
    assert snapshot["lost"]["queue_full_frames"] == lost
    assert snapshot["queue"]["peak_bytes"] <= 60_000
    assert snapshot["write_failures"] > 0
    # the socket was read all the time
    assert len(feed.exchange.clients) == 1


def test_redis_that_hangs_does_not_keep_sockets_from_being_read(feed: NumberedFeed, store: RedisManager) -> None:
    feed.start()
    feed.wait_for_frames(5)
    client = store.connect()
    client.client_pause(100_000, all=False)
    try:
        # they wait in memory behind the one that Redis does not take
        feed.wait_until(lambda: feed.snapshot()["queue"]["entries"] > 50)
    finally:
        client.client_unpause()
    feed.wait_for_frames(5)
    assert feed.end(signal.SIGTERM) == 0
    assert runs_missing(feed.numbers()) == []
    assert feed.gaps() == []
    stamps = np.array([record.received_ns for record in feed.records() if record.is_data])
    assert np.diff(stamps).max() < NS_PER_SECOND  # they were stamped when they came, not when Redis was back


def test_a_clock_an_hour_back_is_recorded_and_receive_times_go_on(feed: NumberedFeed) -> None:
    feed.clock.set(at(11, 0))
    feed.start()
    feed.wait_for_frames(5)
    feed.end(signal.SIGKILL)
    feed.clock.set(at(10, 0))
    feed.start()
    feed.wait_for_frames(5)
    feed.end(signal.SIGTERM)
    stamps = np.array([record.received_ns for record in feed.records()])
    assert (np.diff(stamps) >= 0).all()
    [step] = feed.controls(ControlType.CLOCK_STEP)
    fields = step.control.fields
    assert fields["from_ns"] == stamps[step.number - 2]
    assert at(10, 0) <= fields["to_ns"] < at(10, 30)
    # time goes on from there, so bars go on closing
    after = [record.received_ns for record in feed.records()[step.number :] if record.is_data]
    assert len(set(after)) == len(after)
    [gap] = feed.gaps()
    assert at(11, 0) < gap.control.fields["from_ns"] < gap.control.fields["until_ns"]
    assert "behind the journal: receive times go on from its last record" in feed.log.read_text()


def test_a_journal_folder_that_cannot_be_written_ends_it_at_once(feed: NumberedFeed) -> None:
    place = feed.data / "journal"
    if os.geteuid():
        place.mkdir(mode=0o500)
    else:
        place.symlink_to("/sys")  # which takes no file from anybody
    feed.write_token(GOOD_TOKEN)
    feed.process = start_command(feed.log, feed.environment, "feed")
    assert feed.wait() == 2
    assert f"cannot write {place / SHARD}: Permission denied" in feed.log.read_text()
    assert feed.exchange.attempts == []
