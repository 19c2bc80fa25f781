"""A throw-away platform for one bench: server, engine and what feeds it as child processes, and what they cost."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson

from trading_platform.cli.bench_figures import Arrivals
from trading_platform.cli.bench_watch import PositionWatch
from trading_platform.cli.children import Children, our_command
from trading_platform.cli.play_inputs import DEFAULT_SESSION
from trading_platform.errors import TookTooLong
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.ports import HeldOutputs
from trading_platform.settings import IsolatedSettings, Settings, child_environment
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.engine_outputs import RedisEngineOutputs
from trading_platform.storage.journal import JournalReader, journal_folder
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.gauges import read_snapshot
from trading_platform.wire import redis_keys
from trading_platform.wire.journal_records import RecordKind

SESSION, SHARD = DEFAULT_SESSION, "bench"
LIMIT_SECONDS = 180.0
_POLL_SECONDS = 0.05
_READ_BYTES = 8_000_000


class Stack:
    """Data folder, server and processes of one run; all of it is stopped and removed in the end."""

    def __init__(self, within: Path | None) -> None:
        """Make the folder in `within` (None: where temporary files go) and start its server."""
        self.root = Path(tempfile.mkdtemp(prefix="trading-platform-bench-", dir=within))
        self.settings: Settings = IsolatedSettings(data_dir=self.root / "data", shard=SHARD)
        self.settings.data_dir.mkdir(mode=0o700)
        environment = child_environment(self.settings, self.root)
        self.children = Children(environment, self.root / "logs")
        self.manager = RedisManager(None, self.settings.valkey_dir)
        self._pids = {"valkey": EmbeddedValkey(self.settings.valkey_dir).ensure_running().pid}

    def __enter__(self) -> Self:
        """Return the stack itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, the server last, and remove the folder."""
        self.children.stop_all()
        self.manager.stop_server()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, name: str, *arguments: str) -> None:
        """Start a command of ours beside us."""
        self.children.start(name, *our_command(*arguments))
        self._pids[name] = self.children.pid(name)

    def start_module(self, name: str, module: str, *arguments: str) -> None:
        """Start a module of ours that is no command."""
        self.children.start(name, sys.executable, "-m", module, *arguments)
        self._pids[name] = self.children.pid(name)

    def run(self, *arguments: str) -> str:
        """Run a command of ours to its end and return what it printed."""
        return self.children.run(arguments[0], *our_command(*arguments))

    def wait(self, what: str, is_done: Callable[[], bool]) -> None:
        """Wait until something is done; raise TookTooLong, or ChildFailed when a process ends meanwhile."""
        limit = elapsed_ns() + int(LIMIT_SECONDS * NS_PER_SECOND)
        while not is_done():
            self.children.require_alive()
            if elapsed_ns() > limit:
                raise TookTooLong(f"{what} did not come within {LIMIT_SECONDS:g} s; is the machine this slow?")
            pause(_POLL_SECONDS)

    def wait_for_line(self, name: str, text: str) -> str:
        """Wait until a process has printed a line with this text; return what it has printed."""
        self.wait(f"{text!r} of {name}", lambda: text in self.children.printed(name))
        return self.children.printed(name)

    def watch(self) -> PositionWatch:
        """Return a reader of the engine's position."""
        path = EmbeddedValkey(self.settings.valkey_dir).ensure_running().socket_path
        return PositionWatch(path, redis_keys.position(SHARD, SESSION))

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time of every process so far, and our own as `reader`; empty where nothing tells it."""
        used = {}
        for name, pid in self._pids.items():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        ours = os.times()
        return used and {**used, "reader": ours.user + ours.system}

    def stages(self) -> dict[str, dict[str, float | None]]:
        """Return what feed and engine measured themselves, warm-up included (milliseconds), by stage."""
        found: dict[str, dict[str, float | None]] = {}
        for folder in (self.settings.feed_dir, self.settings.engine_dir):
            told = (read_snapshot(folder / f"{SHARD}.json") or {}).get("latency_ms", {})
            found |= {stage: {name: facts[name] for name in ("p50", "p99", "max")} for stage, facts in told.items()}
        return found

    def held(self) -> HeldOutputs | None:
        """Return what the engine's outputs say of themselves."""
        return RedisEngineOutputs(self.manager.connect(), SHARD, SESSION).held()

    def replayed(self) -> dict[str, Any]:
        """Replay the journal in a fresh process and return the summary."""
        folder = journal_folder(self.settings.journal_dir, SHARD, SESSION)
        out = self.root / "replayed"
        self.run("replay", str(folder), "--out", str(out))
        summary: dict[str, Any] = orjson.loads((out / "summary.json").read_bytes())
        return summary

    def recorded(self, clock: Clock) -> tuple[Arrivals, list[str]]:
        """Read the journal: when records came by the monotonic clock, and each socket's digest of frames, sorted."""
        reader = JournalReader(self.settings.journal_dir, SHARD, SESSION)
        received: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        packets: list[int] = []
        digests: dict[int, Any] = {}
        after = 0
        while len(batch := reader.read(after, _READ_BYTES)):
            received.append(batch.table["received_ns"].copy())
            for row, (kind, socket) in enumerate(batch.table[["kind", "socket"]].tolist()):
                body = batch.body(row) if kind == RecordKind.FRAME else b""
                packets.append(int.from_bytes(body[:2], "big") if len(body) > 1 else 0)
                if body:
                    add_frame(digests.setdefault(socket, hashlib.sha256()), body)
            after = batch.last_number
        reader.close()
        simulated = np.concatenate(received or [np.zeros(0, np.int64)])
        real = clock.anchor_ns + ((simulated - clock.epoch_ns) / clock.rate).astype(np.int64)
        return Arrivals(real, np.array(packets, np.int64)), sorted(made.hexdigest() for made in digests.values())


def add_frame(digest: Any, frame: bytes) -> None:
    """Chain a frame to a digest of frames, as the exchange's ledger of what it sent does."""
    digest.update(len(frame).to_bytes(4, "big"))
    digest.update(frame)
