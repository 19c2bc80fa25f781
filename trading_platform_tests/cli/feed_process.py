"""Runs the feed as a process of its own, quickly: forked from a server that has imported everything already."""

import dataclasses
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import orjson

from trading_platform.cli.console import say
from trading_platform.cli.feed import FeedWorker
from trading_platform.cli.feed_clock import exchange_clock
from trading_platform.cli.feed_limits import FeedLimits
from trading_platform.cli.main import main
from trading_platform.cli.stop_signal import Stop
from trading_platform.kite.reconnect import ReconnectLimits
from trading_platform.kite.ticker import TickerLimits
from trading_platform.market.clock import Clock
from trading_platform.ports import Timepiece
from trading_platform.settings import load_settings
from trading_platform.wire.journal_records import RecordKind, encode_record, scan_records

FILL_DISK, FREE_DISK = signal.SIGUSR1, signal.SIGUSR2
"""What makes the system refuse, and take again, every write of the process to a file."""

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

    def set(self, epoch_ns: int) -> None:
        fresh = self.path.with_suffix(".fresh")
        fresh.write_bytes(orjson.dumps(dataclasses.asdict(Clock.starting_at(epoch_ns, self.rate))))
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


ClockSource = FileClock | str
"""A clock, or the address at which a simulated exchange publishes its own."""


def start_feed(
    clock: ClockSource,
    log: Path,
    environment: Mapping[str, str],
    *,
    until_closed: bool = False,
    limits: FeedLimits = QUICK,
) -> BaseProcess:
    """Start a feed, its output behind that of others in `log`."""

    return _start(_feed, log, environment, clock, until_closed, limits)


def start_command(log: Path, environment: Mapping[str, str], *arguments: str) -> BaseProcess:
    """Start a command of the platform as a user would."""
    return _start(_command, log, environment, arguments)


def _start(target: Callable[..., None], log: Path, environment: Mapping[str, str], *rest: object) -> BaseProcess:
    _SERVER.set_forkserver_preload([__name__])
    process = _SERVER.Process(target=_run, args=(target, log, dict(environment), rest))
    process.start()
    return process


def _run(target: Callable[..., None], log: Path, environment: dict[str, str], rest: tuple[object, ...]) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # the server of forks keeps what was set when it began, by whichever test came first
    for name in [
        one for one in os.environ if one.startswith(("TP_", "DAGSTER_", "REDIS_URL")) and one != "TP_JIT_CACHE"
    ]:
        del os.environ[name]
    os.environ.update(environment)
    for number in (FILL_DISK, FREE_DISK):
        signal.signal(number, _limit_files)
    target(*rest)


def _feed(clock: ClockSource, until_closed: bool, limits: FeedLimits) -> None:
    def make() -> Timepiece:
        return exchange_clock(clock, say) if isinstance(clock, str) else clock

    FeedWorker(load_settings(), Stop(), make, limits).run(until_closed=until_closed)


def _command(arguments: tuple[str, ...]) -> None:
    sys.argv = ["trading-platform", *arguments]
    main()


def _limit_files(number: int, _frame: FrameType | None) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (0 if number == FILL_DISK else hard, hard))
