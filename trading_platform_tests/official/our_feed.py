"""Our feed beside the official client: the session that `trading-platform feed` runs, in a thread, without Redis."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import SecretStr

from trading_platform.cli import feed_session
from trading_platform.cli.feed_clock import published_clock
from trading_platform.cli.feed_inputs import SocketPlan
from trading_platform.cli.feed_report import FeedReport
from trading_platform.cli.feed_session import FeedSession
from trading_platform.errors import StoreUnavailable
from trading_platform.kite.key_gate import KeyGate
from trading_platform.market.clock import Clock, pause
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType, RecordKind, decode_control
from trading_platform_tests.simulator.exchange.offered import DAY, TOKENS, Running

SLOW_SECONDS = 0.5
"""What a frame costs a consumer that is slow: the official client in on_ticks, ours where it is written."""


class _NoRedis:
    def connect(self) -> Any:
        raise StoreUnavailable("not there")


@dataclass
class _Stop:
    event: threading.Event = field(default_factory=threading.Event)

    @property
    def asked(self) -> bool:
        return self.event.is_set()

    def wait(self, seconds: float) -> None:
        self.event.wait(seconds)


@dataclass(frozen=True)
class Record:
    kind: int
    received_ns: int
    body: bytes


@dataclass
class OurFeed:
    """The running feed as its journal shows it."""

    settings: IsolatedSettings
    clock: Clock
    gate: KeyGate
    thread: threading.Thread
    slow: threading.Event = field(default_factory=threading.Event)
    _read: list[Record] = field(default_factory=list)

    def records(self) -> list[Record]:
        """All records so far; only what is new is read."""
        reader = JournalReader(self.settings.journal_dir, self.settings.shard, DAY.session)
        while len(batch := reader.read(len(self._read), 1 << 20)):
            for row in range(len(batch)):
                at = batch.table[row]
                self._read.append(Record(int(at["kind"]), int(at["received_ns"]), batch.body(row)))
        reader.close()
        return self._read

    def payloads(self) -> list[Record]:
        """Binary messages, heartbeats too."""
        return [one for one in self.records() if one.kind == RecordKind.FRAME]

    def frames(self) -> list[Record]:
        return [one for one in self.payloads() if len(one.body) > 1]

    def controls(self, kind: ControlType) -> list[Record]:
        controls = [one for one in self.records() if one.kind == RecordKind.CONTROL]
        return [one for one in controls if decode_control(one.body).type is kind]

    def gaps(self) -> list[Record]:
        """The gaps of silence: the scene opens when trade is under way, which is a gap of its own."""
        reasons = {one: str(decode_control(one.body).fields["reason"]) for one in self.controls(ControlType.GAP)}
        return [one for one, reason in reasons.items() if reason.startswith("silent")]


def _slow_recorder(slow: threading.Event) -> type[Recorder]:
    class SlowRecorder(Recorder):
        def frame(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:
            if slow.is_set():
                pause(SLOW_SECONDS)
            return super().frame(payload, received_ns, socket=socket)

    return SlowRecorder


@contextmanager
def our_feed(exchange: Running, folder: Path, say: Callable[[str], None]) -> Iterator[OurFeed]:
    """Record the exchange into a journal until the end of the block, when all that was held is written."""
    key = SecretStr("simulator")
    settings = IsolatedSettings(data_dir=folder, kite_api_key=key, kite_ws_root=exchange.addresses.websocket)
    clock = published_clock(f"{exchange.addresses.rest}/simulator/clock")
    gate = KeyGate(key, lambda: SecretStr("simulator-access"), say, check_seconds=0.1)
    stop, ended = _Stop(), []

    def run() -> None:
        session = FeedSession(
            settings,
            DAY,
            SocketPlan([TOKENS]),
            ends_ns=clock.now_ns() + 10**15,
            clock=clock,
            gate=gate,
            manager=_NoRedis(),  # type: ignore[arg-type]
            table=load_session_table(),
            snapshots=FeedReport(settings, gate, say),
            stop=stop,
            say=say,
        )
        ended.append(session.run())

    feed = OurFeed(settings, clock, gate, threading.Thread(target=run))
    with patch.object(feed_session, "Recorder", _slow_recorder(feed.slow)):
        feed.thread.start()
        try:
            yield feed
        finally:
            feed.slow.clear()
            stop.event.set()
            feed.thread.join(30)
    assert ended == [False], "the feed ended by itself"
