"""A process of `trading-platform bench` that records made frames at a steady pace, without sockets.

It prints the clock of its receive times when it begins and, asked to stop, a digest of the frames that it recorded.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Protocol

import numpy as np
import orjson
import typer
from numpy.typing import NDArray

from trading_platform._version import __version__
from trading_platform.cli.bench_stack import SESSION, SHARD, add_frame
from trading_platform.cli.console import say
from trading_platform.cli.session_opening import opening_contents
from trading_platform.cli.stop_signal import Stop
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause, to_ns
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.settings import load_settings
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_layout import TICK, Mode, Segment

_PAUSE_SECONDS = 0.001


class Asked(Protocol):
    """How the writer learns that it should end."""

    asked: bool


def main(
    instruments: Annotated[int, typer.Option()],
    packets_per_second: Annotated[int, typer.Option()],
    packets_per_frame: Annotated[int, typer.Option()],
) -> None:
    """Record until asked to stop."""
    stop, settings, table = Stop(), load_settings(), load_session_table()
    listed = assign_tokens([(f"B{number:04d}", False) for number in range(instruments)])
    tokens = [one.token for one in listed]
    opens_ns = to_ns(table.session(SessionClass.NSE_CASH, SESSION).opens)
    manager = RedisManager(None, settings.valkey_dir)
    history = JournalReader(settings.journal_dir, SHARD, SESSION)
    with (
        JournalWriter.open(settings.journal_dir, SHARD, SESSION) as journal,
        Recorder(journal=journal, history=history, store=manager, shard=SHARD, session=SESSION) as recorder,
    ):
        clock = Clock.starting_at(opens_ns)
        say(orjson.dumps({"epoch_ns": clock.epoch_ns, "rate": clock.rate, "anchor_ns": clock.anchor_ns}).decode())
        recorder.control(
            ControlType.SESSION_OPENED,
            received_ns=opens_ns,
            session=SESSION.isoformat(),
            shard=SHARD,
            platform_version=__version__,
        )
        day = InstrumentDay(SESSION, tuple(listed))
        contents = opening_contents(day, settings, SHARD, table=table, client=None, say=say)
        for control, content in contents.named:
            recorder.control(control, received_ns=opens_ns, content=content)
        recorder.control(
            ControlType.SUBSCRIBED, received_ns=opens_ns, content=orjson.dumps(tokens), mode="full", count=len(tokens)
        )
        slots = market(np.array(tokens, np.uint32), packets_per_second, opens_ns // NS_PER_SECOND)
        say(
            record(
                recorder, clock, stop, slots=slots, slot_ns=NS_PER_SECOND // packets_per_second, size=packets_per_frame
            )
        )


def market(tokens: NDArray[np.uint32], packets_per_second: int, second: int) -> Iterator[NDArray[np.void]]:
    """Yield every instrument's packet again and again: prices of random walks, growing volumes, a book around them."""
    random = np.random.default_rng(1)
    ticks = np.zeros(len(tokens), TICK)
    ticks["token"], ticks["segment"], ticks["mode"] = tokens, int(Segment.NSE), int(Mode.FULL)
    paise = random.integers(20_000, 300_000, len(tokens))
    for name in ("open", "high", "low", "close", "average_price"):
        ticks[name] = paise / 100
    ticks["depth_quantity"], ticks["depth_orders"] = random.integers(1, 500, (2, len(tokens), 10))
    slot = 0
    while True:
        paise += 5 * random.integers(-1, 2, len(tokens))
        ticks["last_price"] = paise / 100
        ticks["last_quantity"] = random.integers(1, 50, len(tokens))
        ticks["volume"] += ticks["last_quantity"]
        ticks["depth_price"] = (paise[:, None] + 5 * np.array([-1, -2, -3, -4, -5, 1, 2, 3, 4, 5])) / 100
        ticks["last_trade_time"] = ticks["exchange_time"] = second + slot // packets_per_second
        yield ticks
        slot += 1


def record(
    recorder: Recorder, clock: Clock, stop: Asked, *, slots: Iterator[NDArray[np.void]], slot_ns: int, size: int
) -> str:
    """Record each slot's frames evenly over its time; return a digest of all of them, as JSON."""
    digest: Any = hashlib.sha256()
    begin_ns = elapsed_ns()
    for number, ticks in enumerate(slots):
        frames = [encode_frame(ticks[first : first + size]) for first in range(0, len(ticks), size)]
        sent = 0
        while sent < len(frames) and not stop.asked:
            due = (elapsed_ns() - begin_ns - number * slot_ns) * len(frames) // slot_ns + 1
            for frame in frames[sent : max(due, 0)]:
                recorder.frame(frame, clock.now_ns())
                add_frame(digest, frame)
            recorder.flush()
            sent = max(sent, due)
            if sent < len(frames):
                pause(_PAUSE_SECONDS)
        if stop.asked:
            break
    return orjson.dumps({"sha256": digest.hexdigest(), "redis_failures": recorder.counters.redis_failures}).decode()


if __name__ == "__main__":
    typer.run(main)
