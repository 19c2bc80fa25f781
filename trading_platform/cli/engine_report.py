"""What the engine command says of itself once a second, in `<data_dir>/engine/<shard>.json`."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from trading_platform.errors import StateNotWritten
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.settings import Settings
from trading_platform.streaming.engine import Engine
from trading_platform.streaming.engine_gauges import RecordLatency, pass_facts
from trading_platform.streaming.gauges import clock_of, read_snapshot, write_snapshot, write_stamp

VERSION = 1
EVERY_NS = NS_PER_SECOND


class EngineReport:
    """Writes the snapshot when it is due; asked at every turn of every loop, so that one that hangs shows."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.latency = RecordLatency()
        self._path = settings.engine_dir / f"{settings.shard}.json"
        self._feed_path = settings.feed_dir / f"{settings.shard}.json"
        self._shard, self._say = settings.shard, say
        self._due_ns = 0
        self._clock: Clock | None = None
        self._failure: str | None = None
        self._last: dict[str, Any] = {}  # of the pass, for when none runs
        self._starts = 0

    def running(self, engine: Engine, state: str) -> None:
        """Say where an engine stands, when that is due."""
        if elapsed_ns() >= self._due_ns:
            self._follow_clock(engine)
            self._write(self._facts(engine) | {"state": state, "waiting": None})

    def waiting(self, state: str, why: str | None = None) -> None:
        """Say that no engine runs now, and what is waited for; once a second, or at once where there is a reason."""
        if why is not None or elapsed_ns() >= self._due_ns:
            self._write(self._last | {"state": state, "waiting": why})

    def ended(self, engine: Engine) -> None:
        """Say where an engine ended in order: its session is closed or left, or it was asked to stop."""
        self._facts(engine)
        self.stopped()

    def stopped(self) -> None:
        """Say that nothing runs any more."""
        self._write(self._last | {"state": "stopped", "waiting": None})

    def started(self) -> None:
        """Count an engine that begins, the first or one behind a lost connection."""
        self._starts += 1

    def _facts(self, engine: Engine) -> dict[str, Any]:
        clock, state = self._clock, engine.state
        lag = None if clock is None or not state.position else clock.real_seconds_since(state.last_received_ns)
        self._last = pass_facts(state, rate=1.0 if clock is None else clock.rate) | {
            "lag_ms": None if lag is None else lag * 1000,
            "progress": asdict(engine.progress),
        }
        return self._last

    def _follow_clock(self, engine: Engine) -> None:
        """Take the clock of whoever records this session on this machine; only by a steady one latency is measured."""
        feed = read_snapshot(self._feed_path) or {}
        mine = feed.get("session") == engine.state.session.isoformat()
        self._clock = clock_of(feed.get("clock")) if mine else None
        steady = self._clock is not None and feed["clock"].get("steady") is True
        self.latency.follow(self._clock if steady else None)

    def _write(self, values: dict[str, Any]) -> None:
        self._due_ns = elapsed_ns() + EVERY_NS
        head = {"version": VERSION, "shard": self._shard, "starts": self._starts, **write_stamp()}
        try:
            write_snapshot(self._path, head | values | self.latency.summary())
        except StateNotWritten as error:
            if str(error) != self._failure:
                self._say(str(error))
            self._failure = str(error)
