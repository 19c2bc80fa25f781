"""The market of the demo for real: exchange and feed as processes, far faster than the demo itself."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from trading_platform.batch.instrument_dump import read_dump
from trading_platform.batch.replay import ReplayResult, replay_session
from trading_platform.cli.children import Children
from trading_platform.cli.demo_account import faults_of
from trading_platform.cli.demo_market import DemoMarket
from trading_platform.cli.play_inputs import DEFAULT_SESSION
from trading_platform.intake.kite_access import KiteAccess, pace_file
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import IsolatedSettings, Settings, child_environment
from trading_platform.simulator.synthetic_market import synthetic_session
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.journal import JournalReader
from trading_platform.wire.journal_records import RecordBatch

NAMES, SEED, MINUTES = 3, 7, 4
SPEED = 100_000.0
"""The day would take a quarter of a second: no machine keeps up, and no packet may come late for that."""


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = IsolatedSettings(data_dir=tmp_path)
    yield made
    EmbeddedValkey(made.valkey_dir).stop()


@pytest.fixture
def children(settings: Settings) -> Iterator[Children]:
    made = Children(child_environment(settings, settings.data_dir / "dagster"), settings.data_dir / "logs")
    yield made
    made.stop_all()


def wait(children: Children, is_done: Callable[[], bool]) -> None:
    limit = time.monotonic() + 120
    while not is_done():
        children.require_alive()
        assert time.monotonic() < limit
        time.sleep(0.02)


class Records:
    """A journal as the pass reads it."""

    def __init__(self, settings: Settings) -> None:
        self._reader = JournalReader(settings.journal_dir, settings.shard, DEFAULT_SESSION)

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:  # noqa: ARG002
        return self._reader.read(after, max_bytes)

    def blob(self, sha256: str) -> bytes:
        return self._reader.blob(sha256)


def test_a_session_goes_over_sockets_into_the_journal_whole(settings: Settings, children: Children) -> None:
    market = DemoMarket(children, settings, DEFAULT_SESSION, SPEED)
    market.open("--names", str(NAMES), "--seed", str(SEED), "--minutes", str(MINUTES), "--past", "0")
    assert market.time() == ""
    wait(children, market.is_open)
    login = IsolatedSettings(
        data_dir=settings.data_dir,
        **{name.lower().removeprefix("tp_"): value for name, value in market.login.items()},
    )
    KiteAccess(settings.dumps_dir, pace_file(settings), lambda: login).dump(DEFAULT_SESSION)
    made = synthetic_session(DEFAULT_SESSION, SEED, NAMES, table=load_session_table())
    dump = settings.dumps_dir / "instruments_20260731.csv"
    assert sorted(read_dump(dump).rows["tradingsymbol"]) == sorted(one.tradingsymbol for one in made.instruments)
    assert dump.stat().st_mode & 0o777 == 0o600

    market.begin()
    wait(children, market.is_over)
    account = market.account()
    replayed = replay_session(Records(settings), DEFAULT_SESSION)
    assert faults_of(account, replayed.counters["packets"]) == []
    assert account.sockets == 1
    assert account.p50 is not None
    assert replayed.closed
    assert (replayed.counters["revisions"], replayed.counters["late"]) == (0, 0)
    assert_bars_are_those_of_the_market(replayed, made.bars)


def assert_bars_are_those_of_the_market(replayed: ReplayResult, made: pl.DataFrame) -> None:
    columns = ["symbol", "ts", "open", "high", "low", "close"]
    opens = made["ts"].min()
    wanted = made.filter(pl.col("ts") < opens + pl.duration(minutes=MINUTES)).select(columns)
    bars = replayed.bars.filter(pl.col("interval") == 1)
    found = bars.with_columns(ts=pl.col("start").dt.convert_time_zone("Asia/Kolkata")).select(columns)
    assert found.height == wanted.height > NAMES * MINUTES
    assert found.sort(columns).rows() == wanted.sort(columns).rows()
