from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.cli.feed_blocks import BlockWatch
from trading_platform.errors import StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import ControlType
from trading_platform_tests.kite.exchange import wait_until

SESSION = date(2026, 7, 30)


def baseline(session: date) -> bytes:
    expected = {interval: np.ones((1, 2)) for interval in INTERVALS}
    return BaselineBlock(session, np.array([257], np.uint32), 555, expected, ()).encode()


@dataclass
class Store:
    """What a feed asks of Redis, and how it may fail."""

    held: dict[str, bytes] = field(default_factory=dict)
    error: Exception | None = None
    slow_seconds: float = 0.0

    def connect(self) -> "Store":
        pause(self.slow_seconds)
        if isinstance(self.error, StoreUnavailable):
            raise self.error
        return self

    def get(self, key: str) -> bytes | None:
        if self.error:
            raise self.error
        return self.held.get(key)

    def publish(self, name: str, block: bytes) -> None:
        self.held[redis_keys.baseline_current("k1")] = name.encode()
        self.held[redis_keys.blob("k1", name)] = block


@dataclass
class Rig:
    store: Store
    watch: BlockWatch
    announced: list[tuple[ControlType, bytes]]
    said: list[str]


def rig(known: dict[str, str | None] | None = None) -> Rig:
    store, announced, said = Store(), [], []
    manager: Any = store
    watch = BlockWatch(
        manager,
        "k1",
        SESSION,
        known=known or {},
        announce=lambda control, block: announced.append((control, block)),
        say=said.append,
        every_seconds=0.01,
    )
    return Rig(store, watch, announced, said)


def test_a_block_that_was_not_current_is_announced_once() -> None:
    made = rig({"baseline": "old"})
    made.store.publish("old", baseline(SESSION))
    made.watch.look()
    assert made.announced == []
    made.store.publish("new", baseline(SESSION))
    made.watch.look()
    made.watch.look()
    assert made.announced == [(ControlType.BASELINE, baseline(SESSION))]


def test_a_block_of_another_session_is_named_once_and_not_announced() -> None:
    made = rig()
    made.store.publish("new", baseline(date(2026, 7, 31)))
    made.watch.look()
    made.watch.look()
    assert made.announced == []
    assert len(made.said) == 1
    assert "is for 2026-07-31" in made.said[0]


@pytest.mark.parametrize("error", [RedisTimeoutError("no answer"), StoreUnavailable("away")])
def test_a_server_that_is_away_is_named_once_and_asked_again(error: Exception) -> None:
    made = rig()
    made.store.publish("new", baseline(SESSION))
    made.store.error = error
    made.watch.look()
    made.watch.look()
    assert made.said == [f"recording without Redis for now: {error}"]
    made.store.error = None
    made.watch.look()
    assert made.said[1:] == ["Redis is back"]
    assert len(made.announced) == 1


def test_it_looks_in_a_thread_and_is_not_waited_for() -> None:
    made = rig()
    made.store.publish("new", baseline(SESSION))
    made.watch.start()
    wait_until(lambda: len(made.announced) == 1)
    made.store.slow_seconds = 60.0
    pause(0.05)
    begun = elapsed_ns()
    made.watch.stop()
    assert elapsed_ns() - begun < 30 * NS_PER_SECOND
