"""The feed against the simulated exchange: what a socket missed is fetched, and the bars are those of the exchange."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trading_platform.batch.bars import bars_of_replay
from trading_platform.batch.reference import choose_universe, universe_rows
from trading_platform.batch.replay import replay_session
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.cli.feed_candles import FeedCandles
from trading_platform.kite.reconnect import ReconnectLimits
from trading_platform.kite.ticker import TickerLimits
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.settings import IsolatedSettings
from trading_platform.simulator.bar_ticks import SessionBars
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.simulator.exchange.server import Options
from trading_platform.simulator.exchange.stream import Pace
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.reconciler import ReconcilerLimits
from trading_platform.wire.candle_block import CandleBlock
from trading_platform.wire.journal_records import ControlType
from trading_platform_tests.cli.feed_process import QUICK
from trading_platform_tests.cli.feed_rig import FeedRig, Record, Records
from trading_platform_tests.simulator.exchange import offered
from trading_platform_tests.simulator.exchange.offered import (
    DAY,
    FUTURE,
    INSTRUMENTS,
    NEXT_FUTURE,
    SESSION,
    Running,
    running,
)
from trading_platform_tests.simulator.made_bars import OPTION, START, columns

KEYS = Credentials()
LIMITS = replace(
    QUICK,
    ticker=TickerLimits(connect_seconds=20.0, silence_seconds=20.0),  # a machine that is slow is not a silent socket
    candles=ReconcilerLimits(poll_seconds=0.05, batch_seconds=0.5, empty_seconds=0.2),
)
FIVE = 300
CLOSE = START + 6 * 3600 + 15 * 60
DERIVATIVES = (OPTION, FUTURE, NEXT_FUTURE)
"""They have no session after the close."""
MENDED = BarFlag.GAP | BarFlag.RECONCILED
Key = tuple[int, int]
Values = tuple[float, float, float, float, int]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield f"unix://{manager.connect().connection_pool.connection_kwargs['path']}"
    manager.stop_server()


@contextmanager
def feed_of(exchange: Running, folder: Path, redis_url: str) -> Iterator[FeedRig]:
    clock = f"{exchange.addresses.rest}/simulator/clock"
    feed = FeedRig(folder, exchange.addresses.websocket, clock, redis_url, KEYS.api_key, SESSION)
    feed.write_dump(INSTRUMENTS)
    try:
        yield feed
    finally:
        feed.kill()


def true_bars(bars: SessionBars, minutes: int) -> dict[Key, Values]:
    """What the exchange was given to trade, as bars of so many minutes by token and start."""
    grouped: dict[Key, list[Values]] = {}
    rows = zip(*(getattr(bars, name).tolist() for name in SessionBars.__slots__), strict=True)
    for token, start, opened, high, low, close, volume, *_ in rows:
        key = token, start - start % (60 * minutes)
        grouped.setdefault(key, []).append((opened, high, low, close, volume))
    return {
        key: (part[0][0], max(p[1] for p in part), min(p[2] for p in part), part[-1][3], sum(p[4] for p in part))
        for key, part in grouped.items()
    }


def last_bars(bars: pl.DataFrame, minutes: int) -> dict[Key, tuple[Values, int]]:
    """The last revision of each bar: values and flags."""
    rows = bars.filter(pl.col("interval") == minutes).sort("revision")
    return {
        (row["token"], int(row["start"].timestamp())): (
            (row["open"], row["high"], row["low"], row["close"], row["volume"] or 0),
            row["flags"],
        )
        for row in rows.iter_rows(named=True)
    }


def asked(feed: FeedRig) -> set[Key]:
    """Token and start of every five-minute interval whose candles are recorded."""
    found = set()
    for record in feed.controls(ControlType.CANDLES):
        for window in CandleBlock.decode(feed.reader().blob(record.control.sha256)).asked():
            found |= {(window.token, start) for start in range(window.begin, window.end, FIVE)}
    return found


def touched_by(gaps: list[Record], seconds: int) -> set[Key]:
    """The bars of so many seconds that gaps touched; what was under way when one began is lost too."""
    found = set()
    for gap in gaps:
        fields = gap.control.fields
        begin, end = fields["from_ns"] // NS_PER_SECOND - 2, (fields["until_ns"] - 1) // NS_PER_SECOND
        starts = range(begin - begin % seconds, end + 1, seconds)
        found |= {(token, start) for token in fields["tokens"] for start in starts if start >= START}
    return found


SLOW_TO_RETURN = replace(LIMITS, reconnect=ReconnectLimits(first_seconds=1.5, jitter=0.0))


def test_bars_of_a_gap_are_those_of_the_exchange_also_over_a_restart(tmp_path: Path, redis_url: str) -> None:
    """One of two sockets is cut; the feed is killed before candles can be had, and the next one fetches them."""
    bars = columns(offered.made())
    options = Options(held=True, speed=60.0, at_second=START - 30, pace=Pace(tells_time=True))
    with running(options, offered.offer(bars)) as exchange, feed_of(exchange, tmp_path, redis_url) as feed:
        rows = universe_rows(choose_universe(DAY, {}), DAY)
        rows = rows.with_columns(pl.when(pl.col("priority") > 3).then(2).otherwise(1).cast(pl.Int64).alias("socket"))
        Lake(feed.data / "lake").write_session("subscription_universe", SESSION, rows)
        feed.api_root = exchange.addresses.rest
        feed.start(token=str(KEYS.access_token), limits=SLOW_TO_RETURN)
        feed.wait_until(lambda: {one.socket for one in feed.records() if one.is_data} == {0, 1})
        exchange.post("/simulator/faults", {"kind": "drop", "socket": 1})
        feed.wait_until(lambda: bool(feed.controls(ControlType.GAP)))
        assert feed.end(signal.SIGKILL) == -signal.SIGKILL
        cut = len(feed.controls(ControlType.GAP))
        feed.start(token=str(KEYS.access_token), limits=SLOW_TO_RETURN)
        feed.wait_until(lambda: len(feed.controls(ControlType.GAP)) >= cut + 2)
        feed.wait_until(lambda: asked(feed) >= touched_by(feed.controls(ControlType.GAP)[: cut + 2], FIVE))
        assert feed.end(signal.SIGTERM) == 0
    check_bars(feed, bars, feed.controls(ControlType.GAP)[: cut + 2])
    said = feed.log.read_text()
    assert "instruments of gaps before are outstanding" in said
    assert str(KEYS.access_token) not in said


def check_bars(feed: FeedRig, bars: SessionBars, gaps: list[Record]) -> None:
    result = replay_session(Records(feed), SESSION)
    stored = bars_of_replay(result.bars)
    for minutes in (1, 5):
        truth, mine = true_bars(bars, minutes), last_bars(result.bars, minutes)
        touched = touched_by(gaps, 60 * minutes) & truth.keys()
        assert touched
        assert {key: mine[key][0] for key in touched} == {key: truth[key] for key in touched}
        assert {key for key in touched if mine[key][1] & MENDED != MENDED} == set()
        untouched = mine.keys() - touched_by(feed.controls(ControlType.GAP), 60 * minutes)
        assert {key for key in untouched if mine[key][1] & MENDED} == set()
        if minutes == 1:
            # what the lake gets
            assert last_bars(stored.with_columns(interval=pl.lit(1)), 1) == mine
            assert stored.height == len(mine)
    assert [name for name, count in result.counters.items() if name.startswith("candle_") and count] == []


def test_a_gap_that_no_socket_ends_is_fetched_before_the_session_closes(tmp_path: Path, redis_url: str) -> None:
    """The only socket is cut minutes before the close and does not come back; the REST service goes on."""
    minutes = 10
    opens = CLOSE - 60 * minutes
    made = [replace(bar, minute=bar.minute + (opens - START) // 60) for bar in offered.made(minutes)]
    bars = columns(made)
    gone = replace(LIMITS, reconnect=ReconnectLimits(first_seconds=600.0, longest_seconds=600.0))
    options = Options(held=True, speed=100.0, at_second=opens)
    with running(options, offered.offer(bars)) as exchange, feed_of(exchange, tmp_path, redis_url) as feed:
        rows = universe_rows(choose_universe(DAY, {}), DAY).filter(pl.col("token").is_in(DERIVATIVES))
        Lake(feed.data / "lake").write_session("subscription_universe", SESSION, rows)
        feed.api_root = exchange.addresses.rest
        feed.start(token=str(KEYS.access_token), limits=gone, until_closed=True)
        feed.wait_until(lambda: any(record.is_data for record in feed.records()))
        exchange.post("/simulator/faults", {"kind": "drop"})
        assert feed.wait() == 0
    (gap,) = feed.gaps()
    assert gap.control.fields["until_ns"] > CLOSE * NS_PER_SECOND
    candles = [record.number for record in feed.controls(ControlType.CANDLES)]
    assert gap.number < candles[-1] < feed.records()[-1].number
    assert feed.records()[-1].is_control(ControlType.SESSION_CLOSED)
    result = replay_session(Records(feed), SESSION)
    truth, mine = true_bars(bars, 1), last_bars(result.bars, 1)
    missed = touched_by([gap], 60) & truth.keys()
    assert missed
    assert {key: mine[key][0] for key in missed} == {key: truth[key] for key in missed}


def test_bars_of_before_a_late_login_are_those_of_the_exchange(tmp_path: Path, redis_url: str) -> None:
    bars = columns(offered.made())
    options = Options(held=True, speed=100.0, at_second=START + 1200, pace=Pace(tells_time=True))
    with running(options, offered.offer(bars)) as exchange, feed_of(exchange, tmp_path, redis_url) as feed:
        feed.api_root = exchange.addresses.rest
        feed.start(token=str(KEYS.access_token))
        feed.wait_until(lambda: bool(feed.controls(ControlType.GAP)))
        feed.wait_until(lambda: asked(feed) >= touched_by(feed.controls(ControlType.GAP), FIVE))
        assert feed.end(signal.SIGTERM) == 0
    [late] = feed.controls(ControlType.GAP)
    assert late.control.fields["from_ns"] == START * NS_PER_SECOND
    check_bars(feed, bars, [late])


def test_sockets_of_another_exchange_are_not_mended_with_candles_of_kite(tmp_path: Path) -> None:
    said: list[str] = []
    nothing: Any = None
    candles = FeedCandles(lambda _: (), nothing, ReconcilerLimits(), say=said.append)
    settings = IsolatedSettings(data_dir=tmp_path, kite_ws_root="ws://127.0.0.1:1")
    candles.start(settings, SESSION, nothing, clock=nothing, until=0)
    for _ in range(2):
        candles.gap((1,), 5, 6)
    assert not candles.is_busy(0)
    assert candles.as_values() is None
    candles.stop()
    assert said == ["bars of gaps stay as they are: the sockets are not Kite's, and kite_api_root names no service"]
