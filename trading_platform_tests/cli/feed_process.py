"""Runs the feed as a process of its own, quickly: forked from a server that has imported everything already."""

import dataclasses
import multiprocessing
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path

import orjson

from trading_platform.cli.engine import Stop
from trading_platform.cli.feed import FeedWorker
from trading_platform.cli.feed_session import FeedLimits
from trading_platform.kite.reconnect import ReconnectLimits
from trading_platform.kite.ticker import TickerLimits
from trading_platform.market.clock import Clock
from trading_platform.settings import load_settings
from trading_platform.wire.journal_records import RecordKind, encode_record, scan_records

_SERVER = multiprocessing.get_context("forkserver")

# loads the compiled scan into the server once, and not into each feed
scan_records(encode_record(1, 0, RecordKind.FRAME, b"", 0))

QUICK = FeedLimits(
    ticker=TickerLimits(connect_seconds=20.0, silence_seconds=2.0),
    reconnect=ReconnectLimits(first_seconds=0.05, longest_seconds=0.5),
    token_check_seconds=0.1,
    idle_seconds=0.2,
    blocks_seconds=0.2,
)


@dataclass(frozen=True)
class FileClock:
    """A clock that shows what a file says now, so that a test can move it while the feed runs."""

    path: Path
    rate: float = 1.0

    def set(self, epoch_ns: int, rate: float = 1.0) -> None:
        clock = Clock.starting_at(epoch_ns, rate)
        fresh = self.path.with_suffix(".fresh")
        fresh.write_bytes(orjson.dumps(dataclasses.asdict(clock)))
        fresh.replace(self.path)

    def now_ns(self) -> int:
        return self._shown().now_ns()

    def today(self) -> date:
        return self._shown().today()

    def real_seconds_until(self, target_ns: int) -> float:
        return self._shown().real_seconds_until(target_ns)

    def hear(self, told: bytes) -> None:
        """It goes by its file."""

    def _shown(self) -> Clock:
        return Clock(**orjson.loads(self.path.read_bytes()))


def start_feed(
    clock: FileClock,
    log: Path,
    environment: Mapping[str, str],
    *,
    until_closed: bool = False,
    limits: FeedLimits = QUICK,
) -> BaseProcess:
    """Start a feed, its output behind that of others in `log`."""
    _SERVER.set_forkserver_preload([__name__])
    process = _SERVER.Process(target=_run, args=(clock, log, dict(environment), until_closed, limits))
    process.start()
    return process


def _run(clock: FileClock, log: Path, environment: dict[str, str], until_closed: bool, limits: FeedLimits) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    worker = FeedWorker(load_settings(), Stop(), lambda: clock, limits)
    worker.run(until_closed=until_closed)
