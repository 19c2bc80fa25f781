"""Crash points inside one process: cut transactions, lost replies, lost tails, torn and damaged state files.

Run more of it with: python -m trading_platform_tests.torture.faults --seeds 200
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, UnixDomainSocketConnection
from redis.retry import Retry

from trading_platform._jit_cache import code_fingerprint
from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.errors import StoreUnavailable
from trading_platform.ports import RecordSource
from trading_platform.storage.engine_outputs import RedisEngineOutputs
from trading_platform.storage.journal import JournalWriter
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.streaming.engine import start_engine
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import RecordBatch
from trading_platform_tests.session_data import SHARD, make_session
from trading_platform_tests.torture.outcome import differences, replayed, state_differences

MAX_STARTS = 2000
RATE = 0.06
"""How often a place where a crash is possible becomes one."""
_OUTPUTS = (redis_keys.bars, redis_keys.signals, redis_keys.features, redis_keys.latest, redis_keys.position)


class Killed(Exception):
    """Stands for the end of the process."""


class Chances:
    """Decides at random where to fail, and counts what failed."""

    def __init__(self, seed: int, rate: float) -> None:
        self.rng = np.random.default_rng([seed, 11])
        self.rate = rate
        self.crashes: Counter[str] = Counter()

    def strike(self, name: str) -> bool:
        if self.rng.random() >= self.rate:
            return False
        self.crashes[name] += 1
        return True


class RandomBatches:
    """Hands out batches of random size."""

    def __init__(self, source: RecordSource, rng: np.random.Generator) -> None:
        self._source, self._rng = source, rng
        self.blob = source.blob

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        return self._source.read(after, min(max_bytes, int(self._rng.integers(1, 6000))), min(wait_seconds, 0.0))


class FaultyOutputs:
    """Dies before or behind a write, and now and then puts the keys back to what they were a while ago."""

    def __init__(self, outputs: RedisEngineOutputs, chances: Chances, past: "Past") -> None:
        self._outputs, self._chances, self._past = outputs, chances, past
        self.held, self.reset = outputs.held, outputs.reset

    def write(self, state: SessionPass, produced: Produced) -> None:
        if self._chances.strike("before the write"):
            raise Killed
        self._outputs.write(state, produced)
        self._past.remember(self._chances.rng)
        if self._chances.strike("behind the write"):
            raise Killed
        # the server comes back with less, and the connection is renewed without a word: no crash of ours
        if self._chances.strike("tail lost"):
            self._past.come_back()


class Past:
    """What the output keys were some writes ago."""

    def __init__(self, client: Any, session: Any) -> None:
        self._client = client
        self._keys = [make(SHARD, session) for make in _OUTPUTS]
        self._kept: dict[str, bytes | None] = {}

    def remember(self, rng: np.random.Generator) -> None:
        if rng.random() < 0.3:
            self._kept = {key: self._client.dump(key) for key in self._keys}

    def come_back(self) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.delete(*self._keys)
            for key, content in self._kept.items():
                if content is not None:
                    pipe.restore(key, 0, content)
            pipe.execute()


class FaultyFiles(StateFiles):
    """Dies while a state file is being written, or leaves a damaged one."""

    def __init__(self, folder: Path, chances: Chances) -> None:
        self.reports: list[str] = []
        super().__init__(folder, code=code_fingerprint(), report=self.reports.append)
        self._at, self._chances = folder, chances

    def save(self, state: SessionPass) -> Path:
        if self._chances.strike("half a state file"):
            self._at.mkdir(parents=True, exist_ok=True)
            (self._at / f"{state.position:012d}.writing").write_bytes(state.save()[:1000])
            raise Killed
        path = super().save(state)
        if self._chances.strike("damaged state file"):
            content = bytearray(path.read_bytes())
            content[int(self._chances.rng.integers(len(content)))] ^= 1 << int(self._chances.rng.integers(8))
            path.write_bytes(content)
        if self._chances.strike("behind the state file"):
            raise Killed
        return path


def cutting_client(socket_path: str, chances: Chances) -> Any:
    """Return a client whose transactions are now and then sent in part only, or wholly with the reply lost."""

    class CuttingConnection(UnixDomainSocketConnection):
        def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            content = command if isinstance(command, bytes) else b"".join(command)
            if b"EXEC" in content[-20:] and b"HGETALL" not in content and chances.strike("cut transaction"):
                whole = chances.rng.random() < 0.3
                self._sock.sendall(content[: len(content) if whole else int(chances.rng.integers(len(content)))])
                self.disconnect()
                raise redis.ConnectionError("cut")
            super().send_packed_command(command, check_health)

    pool = ConnectionPool(connection_class=CuttingConnection, path=socket_path, retry=Retry(NoBackoff(), 0))
    return redis.Redis(connection_pool=pool)


def run_with_crashes(
    make_source: Callable[[], RecordSource], session: Any, folder: Path, *, client: Any, calm: Any, chances: Chances
) -> None:
    """Run engines, each until it crashes, until one has closed the session and saved its state."""
    past = Past(calm, session)
    clock = count(0, 1_000_000)  # a millisecond passes with each look
    for _ in range(MAX_STARTS):
        files = FaultyFiles(folder, chances)
        source = RandomBatches(make_source(), chances.rng)
        try:
            engine = start_engine(
                lambda source=source: SessionPass(session, source.blob),
                source=source,
                outputs=FaultyOutputs(RedisEngineOutputs(client, SHARD, session), chances, past),
                files=files,
                state_every_seconds=0.0015,
                elapsed_ns=clock.__next__,
                report=files.reports.append,
                stopped=lambda: False,
            )
            while not engine.state.closed:
                engine.step()
            engine.save_state()  # as the command does, which matters when the last one was damaged
            held = RedisEngineOutputs(calm, SHARD, session).held()
            last = files.load(source.blob, engine.state.position)
            if held is not None and held.closed and last is not None and last.closed:
                return
        except (Killed, StoreUnavailable):
            continue
    raise AssertionError(f"the session was not closed within {MAX_STARTS} starts: {chances.crashes}")


def torment(seed: int, root: Path) -> tuple[list[str], Counter[str]]:
    """Crash through one session in a folder of its own; return what is wrong in the end, and what crashed."""
    data, journal, folder = make_session(seed, minutes=12), root / "journal", root / "state"
    with JournalWriter.open(journal, SHARD, data.session) as writer:
        data.write_to(writer)
    manager, chances = RedisManager(None, root / "valkey"), Chances(seed, RATE)
    try:
        calm = manager.connect()
        client = cutting_client(calm.connection_pool.connection_kwargs["path"], chances)
        source = JournalRecords(journal, SHARD, data.session)

        def again() -> RecordSource:
            return JournalRecords(journal, SHARD, data.session)

        run_with_crashes(again, data.session, folder, client=client, calm=calm, chances=chances)
        expected = replayed(source, data.session)
        faults = [] if expected.position == len(data) else [f"the journal ends at record {expected.position}"]
        faults += differences(calm, SHARD, data.session, expected=expected)
        return faults + state_differences(folder, source.blob, expected=expected), chances.crashes
    finally:
        manager.stop_server()


def main() -> int:
    """Run many seeds and tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    crashes: Counter[str] = Counter()
    failed = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        with tempfile.TemporaryDirectory(prefix="crash-") as root:
            faults, crashed = torment(seed, Path(root))
        crashes += crashed
        failed += bool(faults)
        if faults:
            print(f"seed {seed} FAILED: {faults}", flush=True)  # noqa: T201
    print(f"{asked.seeds} seeds, {failed} failed, {crashes.total()} crashes: {dict(crashes)}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
