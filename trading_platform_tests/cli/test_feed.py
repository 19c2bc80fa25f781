"""The feed as a process, against a server that numbers its frames: what is missing after a kill stands as a gap."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.batch.reference import choose_universe, universe_rows
from trading_platform.batch.replay import replay_session
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.cli.feed import exchange_clock, published_clock
from trading_platform.cli.feed_inputs import read_day, session_times
from trading_platform.cli.main import app
from trading_platform.errors import FeedError, SettingsError
from trading_platform.market.clock import IST, NS_PER_SECOND, Clock, as_told, pause, to_ns
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalReader
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire.journal_records import ControlType, RecordKind, decode_control
from trading_platform_tests.cli.feed_process import FileClock, start_feed
from trading_platform_tests.kite.exchange import GOOD_TOKEN, Exchange, number_in, running_exchange, wait_until

SESSION = date(2026, 7, 30)
SHARD, EXPIRED = "k1", "secret-expired"
LIMIT_SECONDS = 120.0
TABLE = load_session_table()


def stock(number: int, name: str) -> Instrument:
    return Instrument(number * 256 + 1, number, name, name, None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")


NAMES = tuple(stock(1000 + k, f"NAME{k}") for k in range(5))
TOKENS = [one.token for one in NAMES]


@dataclass(frozen=True)
class Record:
    number: int
    kind: int
    socket: int
    received_ns: int
    body: bytes

    @property
    def control(self) -> Any:
        return decode_control(self.body)

    def is_control(self, kind: ControlType) -> bool:
        return self.kind == RecordKind.CONTROL and self.control.type is kind

    @property
    def is_data(self) -> bool:
        return self.kind == RecordKind.FRAME and len(self.body) > 1


@dataclass
class Feed:
    """The command in a process of its own, on a clock that the test chooses."""

    data: Path
    exchange: Exchange
    clock: FileClock
    redis_url: str
    process: BaseProcess | None = None
    _read: list[Record] = field(default_factory=list)

    def write_token(self, token: str) -> None:
        self.settings.write_text(f'kite_access_token = "{token}"\n')

    @property
    def settings(self) -> Path:
        return self.data.parent / "settings.toml"

    @property
    def log(self) -> Path:
        return self.data.parent / "feed.log"

    def start(self, *, until_closed: bool = False, token: str = GOOD_TOKEN) -> BaseProcess:
        self.write_token(token)
        environment = {
            "TP_SETTINGS_FILE": str(self.settings),
            "TP_DATA_DIR": str(self.data),
            "TP_REDIS_URL": self.redis_url,
            "TP_KITE_API_KEY": "secret-key",
            "TP_KITE_WS_ROOT": self.exchange.root,
        }
        self.process = start_feed(self.clock, self.log, environment, until_closed=until_closed)
        return self.process

    def end(self, number: int) -> int | None:
        """Send a signal; return how the process ended."""
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        return self.wait()

    def wait(self) -> int | None:
        """Wait until the process ended by itself; return how."""
        assert self.process is not None
        self.process.join(LIMIT_SECONDS)
        code, self.process = self.process.exitcode, None
        return code

    def snapshot(self) -> dict[str, Any]:
        path = self.data / "feed" / f"{SHARD}.json"
        parsed: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
        return parsed

    def records(self) -> list[Record]:
        if not self.data.exists():
            return []
        reader = JournalReader(self.data / "journal", SHARD, SESSION)
        while len(batch := reader.read(len(self._read), 1 << 20)):
            for row in range(len(batch)):
                at = batch.table[row]
                record = Record(at["number"], at["kind"], at["socket"], int(at["received_ns"]), batch.body(row))
                self._read.append(record)
        reader.close()
        return self._read

    def numbers(self) -> list[int]:
        return [number_in(record.body) for record in self.records() if record.is_data]

    def controls(self, kind: ControlType) -> list[Record]:
        return [record for record in self.records() if record.is_control(kind)]

    def subscriptions(self) -> list[list[int]]:
        reader = JournalReader(self.data / "journal", SHARD, SESSION)
        return [orjson.loads(reader.blob(one.control.sha256)) for one in self.controls(ControlType.SUBSCRIBED)]

    def wait_for_frames(self, count: int) -> None:
        """Wait until so many frames are recorded that were sent from now on."""
        before = self.exchange.number
        self.wait_until(lambda: len(self.numbers()) >= count and self.numbers()[-count] > before)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something while the process runs."""
        wait_until(lambda: self.running() and condition(), LIMIT_SECONDS)

    def running(self) -> bool:
        assert self.process is not None
        assert self.process.is_alive(), self.log.read_text()
        return True


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()


@pytest.fixture
def feed(tmp_path: Path, store: RedisManager) -> Iterator[Feed]:
    data = tmp_path / "data"
    (data / "dumps").mkdir(parents=True)
    (data / "dumps" / f"instruments_{SESSION:%Y%m%d}.csv").write_bytes(dump_csv(NAMES))
    clock = FileClock(tmp_path / "clock.json")
    clock.set(at(10, 0))
    store.connect().flushall()
    path = store.connect().connection_pool.connection_kwargs["path"]
    with running_exchange() as exchange:
        running = Feed(data, exchange, clock, f"unix://{path}")
        yield running
        if running.process is not None:
            running.process.kill()
            running.process.join()
    assert "secret-" not in running.log.read_text()


def at(hour: int, minute: int) -> int:
    return to_ns(datetime(SESSION.year, SESSION.month, SESSION.day, hour, minute, tzinfo=IST))


def runs_missing(kept: list[int]) -> list[tuple[int, int]]:
    """The gaps in a run of numbers: last before, first after."""
    return [(before, after) for before, after in pairwise(kept) if after != before + 1]


def test_a_day_from_connection_to_stop(feed: Feed) -> None:
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
        ControlType.DISCONNECTED,
    ]
    assert records[-1].control.fields["reason"] == "stopped"
    assert runs_missing(feed.numbers()) == []
    assert set(feed.numbers()) <= set(feed.exchange.sent)
    assert len(feed.exchange.clients[0].messages) == 2
    assert snapshot["state"] == "recording"
    assert snapshot["lost"] == {"queue_full_frames": 0, "queue_full_bytes": 0, "after_end": 0, "unwritten": 0}
    assert snapshot["latency_ms"]["journal"]["count"] > 0
    assert (feed.data / "feed" / f"{SHARD}.json").stat().st_mode & 0o777 == 0o600
    assert feed.subscriptions() == [TOKENS]


def test_killed_at_random_one_run_is_missing_each_time_and_stands_as_a_gap(feed: Feed) -> None:
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
    gaps = feed.controls(ControlType.GAP)
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


def test_one_socket_lost_and_one_silent_leave_one_gap_each(feed: Feed) -> None:
    feed.start()
    feed.wait_for_frames(5)
    feed.exchange.drop_all()
    feed.wait_for_frames(5)
    feed.exchange.clients[-1].silent = True
    feed.wait_until(lambda: len(feed.controls(ControlType.DISCONNECTED)) == 2)
    feed.wait_for_frames(5)
    assert feed.end(signal.SIGINT) == 0
    assert len(feed.controls(ControlType.GAP)) == len(runs_missing(feed.numbers())) == 2
    assert [len(client.messages) for client in feed.exchange.clients] == [2, 2, 2]
    reasons = [record.control.fields["reason"] for record in feed.controls(ControlType.DISCONNECTED)]
    assert reasons[0].startswith("lost")
    assert reasons[1].startswith("silent")
    assert reasons[2] == "stopped"


def test_a_session_is_closed_after_its_last_phase_and_nothing_is_recorded_behind_it(feed: Feed) -> None:
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


def test_a_refused_token_waits_visibly_and_another_one_ends_it(feed: Feed) -> None:
    feed.start(token=EXPIRED)
    feed.wait_until(lambda: "log in again" in (feed.snapshot().get("waiting") or ""))
    assert len(feed.exchange.attempts) == 1
    feed.write_token(GOOD_TOKEN)
    feed.wait_for_frames(5)
    feed.wait_until(lambda: feed.snapshot()["waiting"] is None)
    assert [token for _, token in feed.exchange.attempts] == [EXPIRED, GOOD_TOKEN]
    assert feed.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(("when", "says"), [((7, 0), "connecting at 08:45"), ((23, 50), "was over before")])
def test_a_closed_market_is_no_fault(feed: Feed, when: tuple[int, int], says: str) -> None:
    feed.clock.set(at(*when))
    feed.start()
    feed.wait_until(lambda: says in feed.snapshot().get("waiting", ""))
    assert feed.snapshot()["state"] == "idle"
    assert feed.end(signal.SIGTERM) == 0
    assert feed.exchange.attempts == []
    assert not (feed.data / "journal").exists()


def test_a_missing_dump_is_waited_for(feed: Feed) -> None:
    dump = feed.data / "dumps" / f"instruments_{SESSION:%Y%m%d}.csv"
    kept = dump.read_bytes()
    dump.unlink()
    feed.start()
    feed.wait_until(lambda: "no instrument dump of 2026-07-30" in feed.snapshot().get("waiting", ""))
    dump.with_suffix(".unfinished").write_bytes(kept)
    dump.with_suffix(".unfinished").replace(dump)
    feed.wait_for_frames(5)
    assert feed.end(signal.SIGTERM) == 0


def test_added_instruments_are_a_control_record(feed: Feed) -> None:
    (feed.data / "dumps" / f"instruments_{SESSION:%Y%m%d}.csv").write_bytes(dump_csv((*NAMES, stock(7, "LATER"))))
    plan = universe_rows(choose_universe(InstrumentDay(SESSION, NAMES), {}), InstrumentDay(SESSION, NAMES))
    Lake(feed.data / "lake").write_session("subscription_universe", SESSION, plan)
    feed.start()
    feed.wait_for_frames(5)
    (feed.data / "feed" / "k1.universe.json").write_text(f'{{"add": [{7 * 256 + 1}, 5]}}')
    feed.wait_until(lambda: len(feed.controls(ControlType.SUBSCRIBED)) == 2)
    feed.wait_for_frames(5)
    feed.end(signal.SIGTERM)
    assert feed.subscriptions() == [TOKENS, [*TOKENS, 7 * 256 + 1]]
    assert [message["v"] for message in feed.exchange.clients[0].messages[2:3]] == [[7 * 256 + 1]]
    assert len(feed.exchange.clients) == 1
    assert "1 are not in the day's dump: 5" in feed.log.read_text()
    assert feed.controls(ControlType.GAP) == []


def test_a_baseline_that_becomes_current_is_announced(feed: Feed, store: RedisManager) -> None:
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


def test_a_published_clock_is_followed_and_a_wrong_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        b'{"data": {"epoch_ns": 5, "rate": 2.0, "anchor_ns": 7}}',
        b'{"data": {"epoch_ns": 5, "now_ns": 9, "rate": 2.0, "running": false, "told_on_sockets": true}}',
        b'{"data": {"epoch_ns": 5, "rate": 2.0}}',
        b'{"data": {"rate": 2.0, "told_on_sockets": true}}',
        b'{"data": 5}',
        b"x",
    ]
    monkeypatch.setattr("requests.get", lambda *_, **__: type("R", (), {"content": answers.pop(0)}))
    assert published_clock("http://x/clock") == Clock(5, 2.0, 7)
    told = exchange_clock("http://x/clock")
    assert (told.now_ns(), told.rate) == (9, 2.0)
    told.hear(as_told(12))
    assert told.now_ns() == 12
    while answers:
        with pytest.raises(FeedError, match="no running clock"):
            exchange_clock("http://x/clock")


class Records:
    """The journal as the pass reads it."""

    def __init__(self, feed: Feed) -> None:
        self._reader = JournalReader(feed.data / "journal", SHARD, SESSION)

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> Any:  # noqa: ARG002
        return self._reader.read(after, max_bytes)

    def blob(self, sha256: str) -> bytes:
        return self._reader.blob(sha256)
