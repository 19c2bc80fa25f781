"""Kill engine, server and writer at random places; what is left must equal an undisturbed pass over the journal.

Run more of it with: python -m trading_platform_tests.torture.crashes --seeds 200
"""

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire import redis_keys
from trading_platform_tests.session_data import SESSION, SHARD, make_session
from trading_platform_tests.torture.outcome import differences, replayed, state_differences
from trading_platform_tests.torture.processes import (
    Forked,
    kill_valkey,
    settings_of,
    start_engine_process,
    start_writer_process,
)

MAX_EVENTS = 9
LIMIT_SECONDS = 60.0
_EVENTS = ("engine", "engine", "valkey", "valkey", "tail", "writer", "stop")
_POLL = 0.01


class Stuck(Exception):
    """Something did not end within its limit."""


@dataclass
class Report:
    """What was done to one session, and what was wrong in the end."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    positions_lost: int = 0
    seconds: float = 0.0
    signals: int = 0


class Torture:
    """One session, its processes and its random events."""

    def __init__(self, root: Path, seed: int) -> None:
        self.report = Report(seed)
        self._root = root
        self._rng = np.random.default_rng([seed, 7])
        self._seed = seed
        self._begun = elapsed_ns()
        self._window = int(self._rng.choice([3_000, 30_000, 10_000_000]))
        self._manager = RedisManager(None, settings_of(root).valkey_dir)
        self._engine: Forked | None = None
        self._writer: Forked | None = None

    def run(self) -> Report:
        try:
            self._drive()
            self._compare()
        except Stuck as stuck:
            self.report.faults.append(f"{stuck}\n{self._logs()}")
        finally:
            for process in (self._engine, self._writer):
                if process is not None and process.is_alive():
                    process.kill()
                    process.join(5)
            self._manager.stop_server()
        self.report.seconds = (elapsed_ns() - self._begun) / NS_PER_SECOND
        return self.report

    def _drive(self) -> None:
        self._writer = start_writer_process(self._root, self._seed, window_bytes=self._window)
        self._begun = elapsed_ns()  # the first start of all waited for the kernels
        self._wait("the journal", (settings_of(self._root).journal_dir / SHARD).is_dir)
        self._engine = start_engine_process(self._root)
        for _ in range(int(self._rng.integers(4, MAX_EVENTS + 1))):
            pause(float(self._rng.exponential(0.2)))
            getattr(self, f"_on_{self._rng.choice(_EVENTS)}")()
            self._restart_the_dead()
        self._wait("the writer", lambda: not self._writer.is_alive())
        self._wait("the engine", lambda: not self._engine.is_alive())
        if (self._writer.exitcode, self._engine.exitcode) != (0, 0):
            raise Stuck(f"writer and engine ended with {self._writer.exitcode} and {self._engine.exitcode}")

    def _on_engine(self) -> None:
        self._end(self._engine, signal.SIGKILL, "engine")

    def _on_writer(self) -> None:
        self._end(self._writer, signal.SIGKILL, "writer")

    def _on_stop(self) -> None:
        if self._engine.is_alive():
            self._end(self._engine, signal.SIGTERM, "stop")
            if self._engine.exitcode not in (0, -signal.SIGTERM):
                raise Stuck(f"the engine answered SIGTERM with {self._engine.exitcode}")

    def _on_valkey(self) -> None:
        before = self._position()
        kill_valkey(self._root, lose=None)
        self.report.events["valkey"] += 1
        self.report.positions_lost += self._position() < before

    def _on_tail(self) -> None:
        before = self._position()
        kill_valkey(self._root, lose=float(self._rng.exponential(40_000)))
        self.report.events["valkey, tail lost"] += 1
        self.report.events["outputs set back"] += self._position() < before

    def _end(self, process: Forked, how: signal.Signals, name: str) -> None:
        if not process.is_alive():
            return
        os.kill(process.pid, how)
        process.join(5)
        if process.is_alive():
            raise Stuck(f"{name} does not end on {how.name}")
        self.report.events[name] += 1
        pause(float(self._rng.choice([0.0, 0.1])))

    def _restart_the_dead(self) -> None:
        if not self._engine.is_alive():
            if self._engine.exitcode not in (0, -signal.SIGKILL, -signal.SIGTERM):
                raise Stuck(f"the engine ended with {self._engine.exitcode}")
            self._engine = start_engine_process(self._root)
        if self._writer.exitcode == -signal.SIGKILL:
            self._writer = start_writer_process(self._root, self._seed, window_bytes=self._window)

    def _position(self) -> int:
        return int(self._manager.connect().hget(redis_keys.position(SHARD, SESSION), "record") or 0)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        while not done():
            if elapsed_ns() - self._begun > LIMIT_SECONDS * NS_PER_SECOND:
                raise Stuck(f"waited for {what} beyond the limit of {LIMIT_SECONDS} s")
            pause(_POLL)

    def _compare(self) -> None:
        settings = settings_of(self._root)
        source = JournalRecords(settings.journal_dir, SHARD, SESSION)
        expected = replayed(source, SESSION)
        if expected.position != len(make_session(self._seed)):
            self.report.faults.append(f"the journal ends at record {expected.position}")
        self.report.signals = len(expected.rows["signals"])
        self.report.faults += differences(self._manager.connect(), SHARD, SESSION, expected=expected)
        folder = settings.state_dir / SHARD / f"{SESSION:%Y%m%d}"
        self.report.faults += state_differences(folder, source.blob, expected=expected)
        if self.report.faults:
            self.report.faults.append(self._logs())

    def _logs(self) -> str:
        logs = [self._root / name for name in ("engine.log", "writer.log")]
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs if log.exists())


def torture(seed: int) -> Report:
    """Run one seed in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        return Torture(Path(folder), seed).run()


def torture_all(seeds: range, *, jobs: int) -> Iterator[Report]:
    """Run seeds, some at once: each mostly waits."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(torture, seeds)


def main() -> int:
    """Run many seeds and tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="seeds at once")
    asked = parser.parse_args()
    events: Counter[str] = Counter()
    failed = lost = 0
    seconds = []
    for report in torture_all(range(asked.first, asked.first + asked.seeds), jobs=asked.jobs):
        events += report.events
        lost += report.positions_lost
        seconds.append(report.seconds)
        failed += bool(report.faults)
        shown = f"seed {report.seed}: {report.seconds:.1f} s, {dict(report.events)}, {report.signals} signals"
        print(shown, "" if not report.faults else "\nFAILED: " + "\n".join(report.faults), flush=True)  # noqa: T201
    print(  # noqa: T201
        f"{asked.seeds} seeds, {failed} failed, {dict(events)}, positions lost by kill -9 alone: {lost}, "
        f"{np.mean(seconds):.1f} s a seed, at most {np.max(seconds):.1f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
