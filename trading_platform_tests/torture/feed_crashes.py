"""A simulated exchange, feed, engine and Valkey, killed at random: nothing is lost, or it stands as a gap.

Run more of it with: python -m trading_platform_tests.torture.feed_crashes --seeds 200
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trading_platform.calc.pass_layout import Counter as Counted
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.simulator.exchange.server import Options
from trading_platform.simulator.exchange.stream import Pace
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform_tests.session_data import SHARD
from trading_platform_tests.torture.exchange import ExchangeProcess, Sent, Witness
from trading_platform_tests.torture.feed_market import SOCKETS, filled_folder, market, tokens_by_socket
from trading_platform_tests.torture.kept import Account, Kept, flag_faults, full_packets, records_of
from trading_platform_tests.torture.outcome import Outcome, differences, replayed, state_differences
from trading_platform_tests.torture.processes import (
    Forked,
    kill_valkey,
    settings_of,
    start_engine_process,
    start_feed_process,
)

LIMIT_SECONDS = 120.0
MOST_EVENTS = 6
_EVENTS = ("engine", "valkey", "tail", "feed", "feed", "feed")
_POLL = 0.03


class Stuck(Exception):
    """Something did not end within its limit."""


@dataclass
class Report:
    """What was done to one session, and what was wrong in the end."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


class FeedTorture:
    """One session, its processes and its random events."""

    def __init__(self, root: Path, seed: int) -> None:
        self.report = Report(seed)
        self._root, self._session = root, market().day.session
        self._rng = np.random.default_rng([seed, 13])
        self._begun = elapsed_ns()
        self._events = _EVENTS if self._rng.random() < 0.7 else tuple(one for one in _EVENTS if one != "feed")
        self._settings = settings_of(root)
        self._manager = RedisManager(None, self._settings.valkey_dir)
        self._feed: Forked | None = None
        self._engine: Forked | None = None
        self._life_begins_behind = 0

    def run(self) -> Report:
        self._manager.connect()
        exchange = ExchangeProcess(self._root, market(), self._options())
        self._begun = elapsed_ns()  # the first start of all waited for the kernels
        try:
            self._drive(exchange)
            self._compare(exchange.sent())
        except Stuck as stuck:
            self.report.faults.append(f"{stuck}\n{self._logs()}")
        finally:
            for process in (self._feed, self._engine):
                if process is not None and process.is_alive():
                    process.kill()
                    process.join(5)
            exchange.stop()
            self._manager.stop_server()
        self.report.seconds = (elapsed_ns() - self._begun) / NS_PER_SECOND
        return self.report

    def _options(self) -> Options:
        speed, packets, frame = [(60.0, None, 5), (30.0, 1, 10), (30.0, 1, 200)][self._rng.integers(3)]
        return Options(speed=speed, held=True, pace=Pace(packets, frame, tells_time=True))

    def _drive(self, exchange: ExchangeProcess) -> None:
        self._exchange = exchange
        witness = Witness(exchange, sorted(frozenset[int]().union(*tokens_by_socket())))
        self._wait("the clock", lambda: exchange.get("clock")["running"])
        self._start_feed()
        self._wait("the journal", (self._settings.journal_dir / SHARD).is_dir)
        self._engine = start_engine_process(self._root)
        self._wait("the market", lambda: self._subscribed() and self._is_trading())
        for _ in range(int(self._rng.integers(3, MOST_EVENTS + 1))):
            pause(float(self._rng.exponential(0.25)))
            if not self._is_trading():
                break
            getattr(self, f"_on_{self._rng.choice(self._events)}")()
            self._restart_the_dead()
            if self._rng.random() < 0.7:
                self._wait("the sockets", self._subscribed)
        self._settle()
        self._close()
        witness.stop()

    def _settle(self) -> None:
        """Let both sockets be there, end the stream, and let everything arrive that was sent."""
        self._wait("the sockets", self._subscribed)

        def arrived() -> bool:
            # asked each time: a socket that was lost meanwhile is another one now
            sent = [one for one in self._exchange.silence() if one["open"]][1:]
            return sorted(one["frames"] + one["heartbeats"] for one in sent) == self._kept_since_connecting()

        self._wait("the last frames", arrived)

    def _subscribed(self) -> bool:
        sockets = [one for one in self._exchange.get("sent")["sockets"] if one["open"]]
        return len(sockets) == SOCKETS + 1 and all(one["frames"] + one["heartbeats"] for one in sockets)

    def _kept_since_connecting(self) -> list[int]:
        records = self._records()
        return sorted(len(Account(records, k, frozenset(), sent=[]).lives[-1].payloads) for k in range(SOCKETS))

    def _is_trading(self) -> bool:
        told = self._exchange.get("clock")
        return bool(told["first_bar"] * NS_PER_SECOND <= told["now_ns"] < told["end"] * NS_PER_SECOND)

    def _close(self) -> None:
        """Stop the feed as an operator would, and start it again after hours: it closes the session."""
        self._feed.terminate()
        self._wait_for_end("feed", self._feed)
        self._snapshot = orjson.loads((self._settings.feed_dir / f"{SHARD}.json").read_bytes())
        evening = Clock.starting_at(self._exchange.get("clock")["now_ns"] + 10 * 3600 * NS_PER_SECOND)
        self._feed = start_feed_process(self._root, self._exchange.addresses.websocket, evening)
        self._wait_for_end("feed", self._feed)
        self._wait_for_end("engine", self._engine)

    def _on_engine(self) -> None:
        self._kill(self._engine, "engine")

    def _on_feed(self) -> None:
        self._kill(self._feed, "feed")

    def _on_valkey(self) -> None:
        kill_valkey(self._root, lose=None)
        self.report.events["valkey"] += 1

    def _on_tail(self) -> None:
        kill_valkey(self._root, lose=float(self._rng.exponential(40_000)))
        self.report.events["valkey, tail lost"] += 1

    def _kill(self, process: Forked, name: str) -> None:
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join(5)
            self.report.events[name] += 1
            pause(float(self._rng.choice([0.0, 0.0, 0.2])))

    def _restart_the_dead(self) -> None:
        for name, process, start in (
            ("engine", self._engine, self._start_engine),
            ("feed", self._feed, self._start_feed),
        ):
            if not process.is_alive():
                if process.exitcode != -signal.SIGKILL:
                    raise Stuck(f"the {name} ended with {process.exitcode}")
                start()

    def _start_engine(self) -> None:
        self._engine = start_engine_process(self._root)

    def _start_feed(self) -> None:
        self._life_begins_behind = len(self._records())
        self._feed = start_feed_process(self._root, self._exchange.addresses.websocket, self._exchange.clock_url)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        while not done():
            for process in (self._feed, self._engine):
                if process is not None and process.exitcode not in (None, 0):
                    raise Stuck(f"waiting for {what}: process {process.pid} ended with {process.exitcode}")
            if elapsed_ns() - self._begun > LIMIT_SECONDS * NS_PER_SECOND:
                raise Stuck(f"waited for {what} beyond the limit of {LIMIT_SECONDS} s")
            pause(_POLL)

    def _wait_for_end(self, name: str, process: Forked) -> None:
        self._wait(f"the {name} to end", lambda: not process.is_alive())
        if process.exitcode != 0:
            raise Stuck(f"the {name} ended with {process.exitcode}")

    def _source(self) -> JournalRecords:
        return JournalRecords(self._settings.journal_dir, SHARD, self._session)

    def _records(self) -> list[Kept]:
        if not (self._settings.journal_dir / SHARD).is_dir():
            return []
        return records_of(self._source())

    def _compare(self, sent: list[list[Sent]]) -> None:
        source, report = self._source(), self.report
        expected = replayed(source, self._session)
        report.faults += differences(self._manager.connect(), SHARD, self._session, expected=expected)
        folder = self._settings.state_dir / SHARD / f"{self._session:%Y%m%d}"
        report.faults += state_differences(folder, source.blob, expected=expected)
        self._compare_sockets(sent, expected)
        if report.faults:
            report.faults.append(self._logs())

    def _compare_sockets(self, sent: list[list[Sent]], expected: Outcome) -> None:
        report, bars = self.report, expected.rows["bars"]
        records = self._records()
        witness = full_packets(sent[0])
        lost, edge, may = [], [], set()
        for socket, tokens in enumerate(tokens_by_socket()):
            account = Account(records, socket, tokens, sent=sent[1:])
            account.check_runs()
            missing = account.missing(witness)
            lost += [one for one in missing if account.is_in_gap(one)]
            edge += [one for one in missing if not account.is_in_gap(one)]
            may |= account.bars_that_may_be_flagged(bars)
            report.faults += account.faults
            report.counts += Counter(
                gaps=len(account.gaps),
                silences=account.silences,
                messages=sum(len(life.payloads) for life in account.lives),
            )
            if not report.events["feed"] and len(account.gaps) != account.silences:
                report.faults.append(f"{len(account.gaps)} gaps though the feed was never killed")
        unflagged = int(np.frombuffer(expected.state["counters"], np.int64)[Counted.UNFLAGGED_MINUTES])
        report.faults += flag_faults(bars, lost, may, unflagged_minutes=unflagged)
        report.counts += Counter(
            packets=len(witness), missing=len(lost), at_edges=len(edge), bars=len(bars), may_be_flagged=len(may)
        )
        report.counts["unflagged_minutes"] += unflagged
        self._check_snapshot(records)

    def _check_snapshot(self, records: list[Kept]) -> None:
        told: dict[str, Any] = self._snapshot
        behind = records[self._life_begins_behind : told["last_record"]]
        gaps = sum(not one.is_payload and one.control.type == "gap" for one in behind)
        if told["gaps"] != gaps or any(told["lost"].values()) or told["write_failures"]:
            self.report.faults.append(f"the feed counts {told['gaps']} gaps, {gaps} are recorded; lost {told['lost']}")

    def _logs(self) -> str:
        logs = [self._root / f"{name}.log" for name in ("engine", "feed", "exchange")]
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs if log.exists())


def torture_feed(seed: int, keep: Path | None = None) -> Report:
    """Run one seed in a folder of its own; one that failed is copied to `keep`."""
    with tempfile.TemporaryDirectory(prefix="feed-crash-") as folder:
        shutil.copytree(Path(filled_folder().name) / "data", Path(folder), dirs_exist_ok=True)
        report = FeedTorture(Path(folder), seed).run()
        if report.faults and keep is not None:
            shutil.copytree(folder, keep / f"seed-{seed}", ignore=shutil.ignore_patterns("*.sock"))
        return report


def torture_feeds(seeds: range, *, jobs: int, keep: Path | None = None) -> Iterator[Report]:
    """Run seeds, some at once: each mostly waits for its exchange."""
    filled_folder()
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda seed: torture_feed(seed, keep), seeds)


def main() -> int:
    """Run many seeds and tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="seeds at once")
    parser.add_argument("--keep", type=Path, help="folder for the data of seeds that fail")
    asked = parser.parse_args()
    events: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    failed: list[int] = []
    seconds = []
    for report in torture_feeds(range(asked.first, asked.first + asked.seeds), jobs=asked.jobs, keep=asked.keep):
        events += report.events
        counts += report.counts
        seconds.append(report.seconds)
        failed += [report.seed] if report.faults else []
        shown = f"seed {report.seed}: {report.seconds:.1f} s, {dict(report.events)}, {dict(report.counts)}"
        print(shown, "" if not report.faults else "\nFAILED: " + "\n".join(report.faults), flush=True)  # noqa: T201
    summary = {
        "seeds": asked.seeds,
        "failed": failed,
        "events": events,
        "counts": counts,
        "seconds_mean": round(float(np.mean(seconds)), 2),
        "seconds_most": round(float(np.max(seconds)), 2),
    }
    print(orjson.dumps(summary).decode())  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
