from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pytest

from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.cli.session_opening import current_block, current_hash, opening_contents
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.wire import redis_keys
from trading_platform.wire.instrument_block import from_block
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.session_block import decode_hours

SESSION = date(2026, 7, 30)
DAY = InstrumentDay(SESSION, (Instrument(257, 1, "A", "A", None, 0.0, 0.05, 1, "EQ", "NSE", "NSE"),))


@dataclass
class Client:
    held: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.held.get(key)


def baseline(session: date) -> bytes:
    expected = {interval: np.ones((1, 2)) for interval in INTERVALS}
    return BaselineBlock(session, np.array([257], np.uint32), 555, expected, ()).encode()


def holding(block: bytes | None) -> Client:
    client = Client({redis_keys.baseline_current("k1"): b"abc"})
    if block is not None:
        client.held[redis_keys.blob("k1", "abc")] = block
    return client


def test_the_contents_come_in_the_order_that_the_engine_relies_on() -> None:
    said: list[str] = []
    client = holding(baseline(SESSION))
    contents = opening_contents(DAY, Settings(), "k1", table=load_session_table(), client=client, say=said.append)
    kinds = [control for control, _ in contents.named]
    assert kinds == [
        ControlType.SETTINGS,
        ControlType.SESSION_TABLE,
        ControlType.INSTRUMENTS,
        ControlType.BASELINE,
    ]
    assert from_block(contents.instruments) == DAY
    assert decode_hours(contents.hours).session == SESSION
    assert said == [f"{SESSION}: no seeds announced, Redis holds none"]


def test_without_redis_there_are_no_seeds_and_no_baseline() -> None:
    contents = opening_contents(DAY, Settings(), "k1", table=load_session_table(), client=None, say=print)
    assert (contents.seeds, contents.baseline) == (None, None)


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (None, "lost the content"),
        (b"junk", "cannot be read"),
        (baseline(date(2026, 7, 31)), "is for 2026-07-31"),
        (baseline(date(2026, 7, 21)), "is for 2026-07-21"),
    ],
)
def test_a_block_that_is_not_this_sessions_is_named(block: bytes | None, says: str) -> None:
    said: list[str] = []
    client = holding(block)
    assert current_hash(client, "k1", "baseline") == "abc"
    assert current_block(client, "k1", "baseline", SESSION, said.append) is None
    assert says in said[0]


def test_the_baseline_of_the_session_before_stands_in_and_that_is_said() -> None:
    said: list[str] = []
    block = baseline(date(2026, 7, 29))
    assert current_block(holding(block), "k1", "baseline", SESSION, said.append) == block
    assert "marked as stale" in said[0]
    # the closing auction began on 2026-08-03: days before it are of another kind
    assert current_block(holding(baseline(SESSION)), "k1", "baseline", date(2026, 8, 3), said.append) is None
    assert "is for 2026-07-30" in said[1]
