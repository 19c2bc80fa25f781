"""The processes that get killed: engine, writer and feed, each a fork of a process that has everything loaded."""

import fcntl
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from trading_platform.cli.engine import EngineWorker
from trading_platform.cli.feed import FeedWorker
from trading_platform.cli.feed_clock import exchange_clock
from trading_platform.cli.stop_signal import Stop
from trading_platform.errors import FeedError
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.ports import Timepiece
from trading_platform.settings import Settings, load_settings
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder
from trading_platform_tests.session_data import SHARD, make_session

_PRELOAD = "trading_platform_tests.torture.preload"
_SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.005
KEYS = Credentials()


class Forked:
    """A forked process, for whoever has other threads that fork.

    Starting any process looks for the end of all others: without the guard two threads read one exit code, and the
    later one gets 255.
    """

    _guard = threading.Lock()

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        with self._guard:
            process.start()
            assert process.pid is not None
            self.pid: int = process.pid

    @property
    def exitcode(self) -> int | None:
        with self._guard:
            return self._process.exitcode

    def is_alive(self) -> bool:
        return self.exitcode is None

    def kill(self) -> None:
        with self._guard:
            self._process.kill()

    def terminate(self) -> None:
        with self._guard:
            self._process.terminate()

    def join(self, seconds: float) -> None:
        begun = elapsed_ns()
        while self.is_alive() and elapsed_ns() - begun < seconds * NS_PER_SECOND:
            pause(_POLL_SECONDS)


def settings_of(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, shard=SHARD, state_every_seconds=0.1, redis_url=None)


def start_engine_process(data_dir: Path) -> Forked:
    return fork(_engine, data_dir)


def start_writer_process(data_dir: Path, seed: int, *, window_bytes: int) -> Forked:
    return fork(_writer, data_dir, seed, window_bytes)


def start_feed_process(data_dir: Path, root: str, clock: str | Clock) -> Forked:
    """Start the feed of the exchange at `root` on the time of that exchange, by its URL, or on a given clock."""
    return fork(_feed, data_dir, root, clock)


def kill_valkey(data_dir: Path, *, lose: float | None) -> int:
    """Kill the embedded server, and cut up to `lose` bytes off its append-only file; return how many."""
    folder = settings_of(data_dir).valkey_dir
    with (folder / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # nobody starts it again before the file is cut
        try:
            pid = int((folder / "valkey.pid").read_text())
            os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return 0
        while _runs(pid):
            pause(0.002)
        if lose is None:
            return 0
        newest = max((folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime_ns)
        size = newest.stat().st_size
        keep = max(0, size - int(lose))
        os.truncate(newest, keep)
        return size - keep


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty: it has ended and waits to be reaped
    except OSError:
        return False


def fork(target: object, data_dir: Path, *args: object) -> Forked:
    """Start a process that works at once: a fork of one that has everything loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOAD])
    return Forked(context.Process(target=target, args=(data_dir, *args), daemon=True))


def _engine(data_dir: Path) -> None:
    log_to(data_dir / "engine.log")
    EngineWorker(settings_of(data_dir), Stop()).run_all(until_closed=True)


def _feed(data_dir: Path, root: str, clock: str | Clock) -> None:
    """Do what `trading-platform feed --until-closed` does."""
    log_to(data_dir / "feed.log")
    for name in ("TP_REDIS_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ |= {
        "TP_DATA_DIR": str(data_dir),
        "TP_SETTINGS_FILE": str(data_dir / "settings.toml"),
        "TP_KITE_API_KEY": KEYS.api_key,
        "TP_KITE_WS_ROOT": root,
    }
    FeedWorker(load_settings(), Stop(), lambda: _patiently(clock)).run(until_closed=True)


def _patiently(clock: str | Clock) -> Timepiece:
    """Ask for the exchange's time until it answers: a machine that stands still is no reason to end."""
    while isinstance(clock, str):
        with suppress(FeedError):
            return exchange_clock(clock, print)
    return clock


def _writer(data_dir: Path, seed: int, window_bytes: int) -> None:
    """Record the session from where its journal ends, in bursts of random size."""
    log_to(data_dir / "writer.log")
    settings, data = settings_of(data_dir), make_session(seed)
    rng = np.random.default_rng(seed)
    manager = RedisManager(None, settings.valkey_dir)
    history = JournalReader(settings.journal_dir, SHARD, data.session)
    with (
        JournalWriter.open(settings.journal_dir, SHARD, data.session, segment_bytes=40_000) as journal,
        Recorder(
            journal=journal,
            history=history,
            store=manager,
            shard=SHARD,
            session=data.session,
            window_bytes=window_bytes,
            retry_seconds=0.05,
        ) as recorder,
    ):
        while recorder.last_number < len(data):
            done = recorder.last_number
            for item in data.items[done : done + int(rng.integers(1, 25))]:
                item.hand_to(recorder)
            recorder.flush()
            pause(float(rng.choice([0.0, 0.005, 0.03])))
        begun = elapsed_ns()
        while not recorder.counters.online and elapsed_ns() - begun < _SETTLE_SECONDS * 1e9:
            pause(0.01)
        print(recorder.counters)  # noqa: T201


def log_to(path: Path) -> None:
    """Let everything that this process says go to a file."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
