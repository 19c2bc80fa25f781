import hashlib
import itertools
from pathlib import Path

import numpy as np
import orjson

from trading_platform.cli.bench_writer import market, record
from trading_platform.market.clock import Clock
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform_tests.session_data import SESSION
from trading_platform_tests.wire.official_client import parse

TOKENS = np.array([256 + 1, 512 + 1, 768 + 1], np.uint32)


class Never:
    asked = False


def test_what_is_recorded_is_what_it_says(tmp_path: Path) -> None:
    manager = RedisManager(None, tmp_path / "valkey")
    history = JournalReader(tmp_path, "k1", SESSION)
    with (
        JournalWriter.open(tmp_path, "k1", SESSION) as journal,
        Recorder(journal=journal, history=history, store=manager, shard="k1", session=SESSION) as recorder,
    ):
        slots = itertools.islice(market(TOKENS, 100, 1_785_469_500), 5)
        told = orjson.loads(
            record(recorder, Clock.starting_at(10**18), Never(), slots=slots, slot_ns=10_000_000, size=2)
        )
    manager.stop_server()
    batch = history.read(0, 1 << 20)
    bodies = [batch.body(row) for row in range(len(batch))]
    # five slots of three packets in frames of at most two
    assert [body[:2] for body in bodies] == [b"\0\2", b"\0\1"] * 5
    chained = hashlib.sha256(b"".join(len(body).to_bytes(4, "big") + body for body in bodies))
    assert told == {"sha256": chained.hexdigest(), "redis_failures": 0}
    # 50 ms of time for all of them, and the first at once
    received = batch.table["received_ns"]
    assert int(received[-1] - received[0]) >= 30_000_000


def test_the_market_moves_as_a_market_does() -> None:
    slots = [parse(encode_frame(ticks)) for ticks in itertools.islice(market(TOKENS, 2, 1_785_469_500), 6)]
    assert [tick["instrument_token"] for tick in slots[0]] == TOKENS.tolist()
    seconds = [int(slot[0]["exchange_timestamp"].timestamp()) - 1_785_469_500 for slot in slots]
    assert seconds == [0, 0, 1, 1, 2, 2]
    for before, after in itertools.pairwise(slots):
        for one, other in zip(before, after, strict=True):
            assert other["volume_traded"] - one["volume_traded"] == other["last_traded_quantity"] > 0
            assert abs(other["last_price"] - one["last_price"]) < 0.06
            assert other["depth"]["buy"][0]["price"] < other["last_price"] < other["depth"]["sell"][0]["price"]
