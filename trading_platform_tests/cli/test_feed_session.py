"""A session of the feed as a process against the simulated exchange: its clock, its tokens."""

import hashlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import requests

from trading_platform.batch.reference import choose_universe, universe_rows
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.simulator.bar_ticks import spread_bars
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.simulator.exchange.sent import BINARY, read_sent
from trading_platform.simulator.exchange.server import Options
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.kite_packets import HEARTBEAT
from trading_platform_tests.cli.feed_process import QUICK
from trading_platform_tests.cli.feed_rig import FeedRig, Record
from trading_platform_tests.kite.exchange import wait_until
from trading_platform_tests.simulator.exchange import offered
from trading_platform_tests.simulator.exchange.offered import DAY, INSTRUMENTS, SESSION, Running, running
from trading_platform_tests.simulator.made_bars import START, columns

KEYS = Credentials()
RETRY_SECONDS = 0.5
INDEX_FULL_BYTES, FULL_BYTES = 32, 184


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


def faults(exchange: Running) -> dict[str, int]:
    counts: Any = exchange.get("/simulator/faults")
    return dict(counts)


def log_in(exchange: Running) -> str:
    """Log in; the access token that was valid before dies."""
    checksum = hashlib.sha256((KEYS.api_key + KEYS.request_token + KEYS.api_secret).encode()).hexdigest()
    form = {"api_key": KEYS.api_key, "request_token": KEYS.request_token, "checksum": checksum}
    answer = requests.post(f"{exchange.addresses.rest}/session/token", data=form, timeout=5)
    return str(orjson.loads(answer.content)["data"]["access_token"])


def ticks_in(records: list[Record]) -> set[bytes]:
    """Return the full packets of all frames, those that were sent twice once."""
    return {packet for record in records if record.is_data for packet in full_packets(record.body)}


def full_packets(frame: bytes) -> Iterator[bytes]:
    at = 2
    for _ in range(int.from_bytes(frame[:2], "big")):
        size = int.from_bytes(frame[at : at + 2], "big")
        if size in {INDEX_FULL_BYTES, FULL_BYTES}:
            yield frame[at + 2 : at + 2 + size]
        at += 2 + size


@pytest.mark.parametrize("at_second", [START - 30, START - 3 * 3600])
def test_a_held_clock_runs_when_we_subscribe_and_no_second_is_lost(
    tmp_path: Path, redis_url: str, at_second: int
) -> None:
    """Three hours before the open a feed would only idle, and the clock would be held for ever."""
    speed = 60.0 if at_second > START - 60 else 10_000.0
    bars = columns(offered.made(minutes=1))
    options = Options(held=True, speed=speed, at_second=at_second, keep_sent=tmp_path / "sent")
    with running(options, offered.offer(bars)) as exchange, feed_of(exchange, tmp_path, redis_url) as feed:
        feed.start(token=str(KEYS.access_token))
        # all that this market has: nothing came before we listened
        feed.wait_until(lambda: len(ticks_in(feed.records())) == len(spread_bars(bars)))
        assert feed.end(signal.SIGTERM) == 0
    sent = [entry for entry in read_sent(tmp_path / "sent" / "socket-0.sent") if entry[0] == BINARY]
    frames = [(at_ns, body) for _, at_ns, body in sent if body != HEARTBEAT]
    records = feed.records()
    assert records[0].received_ns == at_second * NS_PER_SECOND
    kept = [record for record in records if record.is_data]
    assert [record.body for record in kept] == [body for _, body in frames]
    # from the first on they are stamped by the clock that runs: none before it was sent
    assert all(record.received_ns >= at_ns for record, (at_ns, _) in zip(kept, frames, strict=True))
    assert feed.controls(ControlType.CLOCK_STEP) == []
    said = feed.log.read_text()
    assert "holds its clock at" in said
    assert f"lets its clock run, {speed:g} times as fast as ours" in said


def test_a_token_that_dies_in_a_session_is_waited_for_without_a_storm(tmp_path: Path, redis_url: str) -> None:
    options = Options(at_second=START)
    with running(options) as exchange, feed_of(exchange, tmp_path, redis_url) as feed:
        rows = universe_rows(choose_universe(DAY, {}), DAY)
        rows = rows.with_columns(pl.when(pl.col("priority") > 3).then(2).otherwise(1).cast(pl.Int64).alias("socket"))
        Lake(feed.data / "lake").write_session("subscription_universe", SESSION, rows)
        feed.start(token=str(KEYS.access_token), limits=replace(QUICK, token_retry_seconds=RETRY_SECONDS))
        feed.wait_until(lambda: len(feed.controls(ControlType.SUBSCRIBED)) == 2)
        feed.wait_until(lambda: {one.socket for one in feed.records() if one.is_data} == {0, 1})
        fresh, begun = log_in(exchange), elapsed_ns()
        exchange.post("/simulator/faults", {"kind": "drop"})
        feed.wait_until(lambda: "log in again" in feed.waiting())
        wait_until(lambda: {one["state"] for one in feed.snapshot()["sockets"]} == {"waiting for a token"})
        feed.wait_until(lambda: faults(exchange)["refused_token_on_upgrade"] >= 5)
        # each socket may ask once before it is known; then one of all sockets asks, once in a period
        refused = faults(exchange)["refused_token_on_upgrade"]
        assert refused <= 2 + (elapsed_ns() - begun) / NS_PER_SECOND / RETRY_SECONDS
        assert feed.snapshot()["state"] == "recording"
        feed.write_token(fresh)
        feed.wait_until(lambda: len(feed.controls(ControlType.GAP)) == 2)
        feed.wait_until(lambda: feed.waiting() == "")
        assert feed.end(signal.SIGTERM) == 0
    assert {gap.socket for gap in feed.controls(ControlType.GAP)} == {0, 1}
    said = feed.log.read_text()
    assert "Kite accepts the token again: connecting" in said
    assert fresh not in said
    assert str(KEYS.access_token) not in said
