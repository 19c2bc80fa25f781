"""Redis goes away under load and comes back: nothing is lost, memory stays bounded, everything catches up.

    python -m trading_platform_tests.torture.redis_away [--instruments 9000] [--away 60]

A simulated exchange, feed and engine run as in production, with a server that they were given by URL and cannot start.
It is killed and started again after a while, then stopped (it answers nobody, connections stay open) and let go on.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from trading_platform.cli.bench_feed import FeedSource
from trading_platform.cli.bench_load import Load
from trading_platform.cli.bench_stack import SESSION, SHARD, Stack
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.feed import QUEUE_BYTES
from trading_platform.wire import redis_keys

MB = 1 << 20
WITHIN = {"feed": QUEUE_BYTES + 128 * MB, "engine": 384 * MB}
"""How much a process may grow beyond what it had before. The feed: its queue, and a few copies of what is read and
written at once (a page of the stream is a thousand records). The engine: a second state while it starts again, and
megabytes of records."""

CATCH_UP_SECONDS = 120.0
_SAMPLE_SECONDS, _TOLD_SECONDS = 0.1, 1.5


@dataclass
class Memory:
    """The most that processes held at a time (bytes)."""

    pids: dict[str, int]
    most: dict[str, int] = field(default_factory=dict)

    def sample(self) -> None:
        for name, pid in self.pids.items():
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            self.most[name] = max(self.most.get(name, 0), pages * os.sysconf("SC_PAGE_SIZE"))

    def take(self) -> dict[str, int]:
        """Return the most since the last call."""
        self.sample()
        most, self.most = self.most, {}
        return most


@contextmanager
def sampled(memory: Memory) -> Iterator[None]:
    """Look at the memory all the time."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            memory.sample()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Server:
    """The server that the platform is given by URL: here it is killed, stopped and started."""

    def __init__(self, stack: Stack) -> None:
        self._valkey = EmbeddedValkey(stack.settings.valkey_dir)
        with (stack.settings.data_dir / "settings.toml").open("a") as file:
            file.write(f'redis_url = "unix://{self._valkey.ensure_running().socket_path}"\n')

    def go_away(self, how: str, seconds: float) -> None:
        """Be killed, or only stopped, and come back after so long."""
        pid = self._valkey.ensure_running().pid
        os.kill(pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        pause(seconds)
        if how == "stopped":
            os.kill(pid, signal.SIGCONT)
        self._valkey.ensure_running()


class Ordeal:
    """One run: the processes, what they held in memory, and what is wrong in the end."""

    def __init__(self, stack: Stack, load: Load) -> None:
        self._stack, self._load = stack, load
        self._source = FeedSource()
        self.figures: dict[str, Any] = {"wanted_ticks_per_second": load.ticks_per_second}
        self.faults: list[str] = []

    def run(self, absences: list[tuple[str, float]]) -> None:
        stack = self._stack
        self._source.prepare(stack, self._load)
        server = Server(stack)
        stack.start("engine", "engine", "--session", SESSION.isoformat())
        stack.wait_for_line("engine", "state at record")
        self._source.begin(stack, self._load)
        memory = Memory({name: stack.children.pid(name) for name in WITHIN})
        with sampled(memory):
            self._catch_up()
            begun_ns, first = elapsed_ns(), self._fed()["last_record"]
            pause(self._load.warm_up_seconds)
            before = memory.take()
            self.figures["memory_before_mb"] = _in_mb(before)
            self.figures["away"] = [self._be_away(server, how, seconds, memory, before) for how, seconds in absences]
            records = self._fed()["last_record"] - first
        self.figures["records_per_second"] = round(records / (elapsed_ns() - begun_ns) * NS_PER_SECOND)
        self._compare()

    def _be_away(
        self, server: Server, how: str, seconds: float, memory: Memory, before: dict[str, int]
    ) -> dict[str, Any]:
        record = self._fed()["last_record"]
        server.go_away(how, seconds)
        pause(_TOLD_SECONDS)  # what the feed says of itself is as old as that
        took = self._catch_up()
        missed = self._fed()["last_record"] - record
        grown = {name: most - before[name] for name, most in memory.take().items()}
        self.faults += [
            f"{how}: the {name} grew by {grown[name] / MB:.0f} MB, {bound / MB:.0f} are allowed"
            for name, bound in WITHIN.items()
            if grown[name] > bound
        ]
        if missed < seconds:
            self.faults.append(f"{how}: only {missed} records came in {seconds} s")
        return {
            "how": how,
            "seconds": seconds,
            "records_until_caught_up": missed,
            "caught_up_seconds": round(_TOLD_SECONDS + took, 1),
            "grown_mb": _in_mb(grown),
            "queue_peak_mb": round(self._fed()["queue"]["peak_bytes"] / MB, 1),
        }

    def _catch_up(self) -> float:
        """Wait until feed and engine are where the sockets are; return after how many seconds."""
        begun_ns = elapsed_ns()
        target = self._fed()["last_record"]
        while True:
            fed, held = self._fed(), self._stack.held()
            if fed["recorder"]["online"] and held is not None and held.record >= max(target, fed["last_record"]):
                return (elapsed_ns() - begun_ns) / NS_PER_SECOND
            self._stack.children.require_alive()
            if elapsed_ns() - begun_ns > CATCH_UP_SECONDS * NS_PER_SECOND:
                raise AssertionError(f"the feed is at record {fed['last_record']}, the outputs at {held}")
            pause(0.1)

    def _compare(self) -> None:
        """Hold journal against exchange, stream against journal, outputs against a replay in a fresh process."""
        sent = self._source.finish(self._stack)
        told = self._fed()
        records, recorded = self._recorded()
        journal = {name: told["latency_ms"]["journal"][name] for name in ("p50", "p99", "max")}
        self.figures |= {"records": len(records), "journal_latency_ms": journal, "lost": told["lost"]}
        self.figures |= {"gaps": told["gaps"], "sockets": len(sent)}
        if recorded != sent:
            self.faults.append("the journal does not hold what the exchange sent")
        if told["gaps"] or any(told["lost"].values()) or any(one["reconnects"] for one in told["sockets"]):
            self.faults.append(f"the feed tells of losses: {told['gaps']} gaps, {told['lost']}, {told['sockets']}")
        self._compare_stream(records)
        self._stack.wait("the last record", lambda: getattr(self._stack.held(), "record", 0) == len(records))
        held, replayed = self._stack.held(), self._stack.replayed()
        if not held.whole or held.digests != replayed["digests"] or replayed["last_record"] != len(records):
            self.faults.append(f"outputs are not what a replay gives: {held} {replayed['digests']}")

    def _recorded(self) -> tuple[list[int], list[str]]:
        """Return the length of each record as it is written down, and each socket's digest of frames."""
        clock = _StandingClock()
        _, digests = self._stack.recorded(clock)  # type: ignore[arg-type]
        reader, lengths = JournalReader(self._stack.settings.journal_dir, SHARD, SESSION), []
        while len(batch := reader.read(len(lengths), 8 * MB)):
            lengths += [len(batch.encoded(row)) for row in range(len(batch))]
        reader.close()
        return lengths, digests

    def _compare_stream(self, lengths: list[int]) -> None:
        """The stream must hold the journal's last records without a hole, as many as the window takes."""
        client, key = self._stack.manager.connect(), redis_keys.frames(SHARD, SESSION)
        first, last = (
            int(found[0][0].split(b"-")[0]) for found in (client.xrange(key, count=1), client.xrevrange(key, count=1))
        )
        reader = JournalReader(self._stack.settings.journal_dir, SHARD, SESSION)
        reached, held = first - 1, 0
        while reached < last:
            batch = reader.read(reached, MB)
            entries = client.xrange(key, f"{reached + 1}-0", f"{batch.last_number}-0")
            wanted = [
                (f"{n}-0".encode(), {b"r": batch.encoded(k)}) for k, n in enumerate(batch.table["number"].tolist())
            ]
            if entries != wanted:
                self.faults.append(f"the stream differs from the journal behind record {reached}")
                break
            reached, held = batch.last_number, held + sum(len(fields[b"r"]) for _, fields in entries)
        reader.close()
        whole = sum(lengths) <= redis_keys.FRAMES_WINDOW_BYTES
        least = 1 if whole else redis_keys.FRAMES_WINDOW_BYTES - max(lengths)
        self.figures["stream"] = {"first": first, "last": last, "mb": round(held / MB, 1)}
        if last != len(lengths) or not least <= held <= redis_keys.FRAMES_WINDOW_BYTES or (whole and first != 1):
            self.faults.append(f"the stream holds records {first} to {last}, {held} bytes, of {len(lengths)} records")

    def _fed(self) -> dict[str, Any]:
        told: dict[str, Any] = orjson.loads((self._stack.settings.feed_dir / f"{SHARD}.json").read_bytes())
        return told


class _StandingClock:
    """For readings that are not looked at."""

    epoch_ns, rate, anchor_ns = 0, 1.0, 0


def be_without_redis(load: Load, absences: list[tuple[str, float]], within: Path | None = None) -> Ordeal:
    """Run once; figures and faults are in what is returned."""
    with Stack(within) as stack:
        ordeal = Ordeal(stack, load)
        ordeal.run(absences)
        return ordeal


def main() -> int:
    """Run, print figures as JSON, return 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=9000)
    parser.add_argument("--away", type=float, default=60.0)
    asked = parser.parse_args()
    load = Load(
        packets_per_frame=200, packets_per_second=2, seconds=4 * asked.away + 300, instruments=asked.instruments
    )
    ordeal = be_without_redis(load, [("killed", asked.away), ("stopped", asked.away)])
    print(orjson.dumps({**ordeal.figures, "faults": ordeal.faults}).decode())  # noqa: T201
    return 1 if ordeal.faults else 0


def _in_mb(sizes: dict[str, int]) -> dict[str, int]:
    return {name: round(size / MB) for name, size in sizes.items()}


if __name__ == "__main__":
    sys.exit(main())
