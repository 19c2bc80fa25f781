"""One session of the feed: its journal, its opening records, its sockets, and its end."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from redis.exceptions import RedisError

from trading_platform._version import __version__
from trading_platform.cli.feed_inputs import AddedTokens, SocketPlan
from trading_platform.cli.feed_report import FeedReport
from trading_platform.cli.session_opening import Say, current_block, current_hash, opening_contents
from trading_platform.errors import StoreUnavailable
from trading_platform.kite.key_gate import CHECK_SECONDS, RETRY_SECONDS, KeyGate
from trading_platform.kite.reconnect import Reconnect, ReconnectLimits
from trading_platform.kite.ticker import Ticker, TickerLimits
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionTable
from trading_platform.ports import Timepiece
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.feed import QUEUE_BYTES, Feed
from trading_platform.streaming.journal_edges import JournalTail, journal_tail, opening_records
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType

_TICK_SECONDS = 0.2
_SNAPSHOT_NS = NS_PER_SECOND
_JOIN_SECONDS, _DRAIN_SECONDS = 2.0, 10.0
_FAMILIES = {"seeds": ControlType.SEEDS, "baseline": ControlType.BASELINE}


class Waits(Protocol):
    """How the command learns that it should end."""

    asked: bool

    def wait(self, seconds: float) -> None:
        """Sleep, but not longer than until it should end."""


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """How much a feed holds in memory, and how patient it is, in real seconds."""

    queue_bytes: int = QUEUE_BYTES
    ticker: TickerLimits = field(default_factory=TickerLimits)
    reconnect: ReconnectLimits = field(default_factory=ReconnectLimits)
    token_check_seconds: float = CHECK_SECONDS
    token_retry_seconds: float = RETRY_SECONDS
    idle_seconds: float = 5.0  # between two looks whether a session can begin
    blocks_seconds: float = 5.0  # between two looks for new seeds and baselines


class FeedSession:
    """Runs one session from its first connection to its end, or until asked to stop; continues a journal."""

    def __init__(
        self,
        settings: Settings,
        day: InstrumentDay,
        plan: SocketPlan,
        *,
        ends_ns: int,
        clock: Timepiece,
        gate: KeyGate,
        manager: RedisManager,
        table: SessionTable,
        snapshots: FeedReport,
        stop: Waits,
        say: Say,
        seed: int = 0,
        limits: FeedLimits | None = None,
    ) -> None:
        self._settings, self._day, self._plan, self._ends_ns = settings, day, plan, ends_ns
        self._clock, self._gate, self._manager, self._table = clock, gate, manager, table
        self._snapshots, self._stop, self._say = snapshots, stop, say
        self._seed, self._limits = seed, limits or FeedLimits()
        self._sockets: list[Ticker] = []
        self._announced: dict[str, str | None] = {}
        self._added = AddedTokens(settings.feed_dir / f"{settings.shard}.universe.json", day)
        self._next: dict[str, int] = {}

    def run(self) -> bool:
        """Record until the session is over (True) or we are asked to stop (False)."""
        settings, session = self._settings, self._day.session
        history = JournalReader(settings.journal_dir, settings.shard, session)
        with ExitStack() as undo:
            journal = undo.enter_context(JournalWriter.open(settings.journal_dir, settings.shard, session))
            recorder = Recorder(
                journal=journal,
                history=JournalReader(settings.journal_dir, settings.shard, session),
                store=self._manager,
                shard=settings.shard,
                session=session,
            )
            undo.enter_context(recorder)
            tail = journal_tail(history) if recorder.last_number else JournalTail()
            if tail.closed:
                self._say(f"{session}: the session is closed in its journal, nothing more is recorded")
                return True
            self._open(recorder, history, tail)
            self._snapshots.begin(session)
            feed = Feed(recorder, report=self._say, queue_bytes=self._limits.queue_bytes, tail=tail)
            feed.start()
            over = self._record(feed, recorder)
            if over:
                recorder.control(ControlType.SESSION_CLOSED, received_ns=self._clock.now_ns())
            self._snapshot(feed, recorder, "closed" if over else "stopped")
            return over

    def _open(self, recorder: Recorder, history: JournalReader, tail: JournalTail) -> None:
        """Write what a reader has to know before the first frame, or what is missing of it after a crash."""
        at_ns, session, shard = self._clock.now_ns(), self._day.session, self._settings.shard
        held = opening_records(history) if recorder.last_number else {}
        if recorder.last_number:
            self._say(f"{session}: continuing the journal behind record {recorder.last_number}")
            self._disconnect_all(recorder, tail)
        else:
            recorder.control(
                ControlType.SESSION_OPENED,
                received_ns=at_ns,
                session=session.isoformat(),
                shard=shard,
                platform_version=__version__,
            )
        contents = opening_contents(
            self._day, self._settings, shard, table=self._table, client=self._client(), say=self._say
        )
        for control, content in contents.named:
            if control not in held:  # settings and instruments of a session stay what they were at its beginning
                recorder.control(control, received_ns=at_ns, content=content)
        recorder.flush()

    @staticmethod
    def _disconnect_all(recorder: Recorder, tail: JournalTail) -> None:
        """Record the sockets that were open when the feed died, at the time of its last record.

        Time must not go on before all of them are known to be gone: bars would close without saying what they lack.
        """
        for socket in sorted(tail.open_sockets):
            recorder.control(
                ControlType.DISCONNECTED,
                received_ns=tail.last_ns,
                socket=socket,
                reason="the feed was not running",
                last_ns=tail.last_by_socket[socket],
            )

    def _record(self, feed: Feed, recorder: Recorder) -> bool:
        """Keep the sockets open until the end; whatever happens, disconnect them and record what they gave."""
        try:
            open_sockets = self._plan.sockets if self._clock.now_ns() < self._ends_ns else []
            for number, tokens in enumerate(open_sockets):
                self._begin_socket(feed, number, tokens)
            self._say(f"{self._day.session}: {len(self._plan.tokens)} instruments on {len(self._sockets)} sockets")
            while not self._stop.asked and self._clock.now_ns() < self._ends_ns:
                self._look_after(feed, recorder)
                self._stop.wait(min(_TICK_SECONDS, self._clock.real_seconds_until(self._ends_ns)))
        finally:
            for ticker in self._sockets:
                ticker.stop()
            stuck = [ticker.status.socket for ticker in self._sockets if not ticker.join(_JOIN_SECONDS)]
            if not feed.close(_DRAIN_SECONDS) or stuck:
                self._say(f"sockets {stuck} did not end, {feed.counters.unwritten} entries could not be written")
        return not self._stop.asked

    def _begin_socket(self, feed: Feed, number: int, tokens: tuple[int, ...]) -> None:
        ticker = Ticker(
            root=self._settings.kite_ws_root,
            number=number,
            tokens=tokens,
            gate=self._gate,
            reconnect=Reconnect(self._limits.reconnect, np.random.default_rng([self._seed, number])),
            listener=feed,
            clock=self._clock,
            report=self._say,
            limits=self._limits.ticker,
        )
        self._sockets.append(ticker)
        ticker.start()

    def _look_after(self, feed: Feed, recorder: Recorder) -> None:
        feed.require_alive()
        for ticker in self._sockets:
            ticker.watch()
        if self._due("snapshot", _SNAPSHOT_NS):
            self._grow(feed)
            self._snapshot(feed, recorder, "recording")
        if self._due("blocks", int(self._limits.blocks_seconds * NS_PER_SECOND)):
            self._announce(feed)

    def _due(self, what: str, every_ns: int) -> bool:
        now = elapsed_ns()
        if now < self._next.get(what, 0):
            return False
        self._next[what] = now + every_ns
        return True

    def _grow(self, feed: Feed) -> None:
        """Subscribe what was added to the universe meanwhile; what is taken out stays until the next session."""
        tokens, wrong = self._added.changed()
        if wrong:
            self._say(wrong)
        if not tokens:
            return
        refused = len(self._plan.refused)
        for number, fresh in self._plan.add(tokens).items():
            self._say(f"socket {number}: {len(fresh)} instruments are added")
            if number < len(self._sockets):
                self._sockets[number].add(fresh)
            else:
                self._begin_socket(feed, number, fresh)
        if len(self._plan.refused) > refused:
            self._say(f"{len(self._plan.refused)} instruments are not added: the sockets of this key are full")

    def _announce(self, feed: Feed) -> None:
        """Record seeds and baselines that become current while the session is open."""
        client = self._client()
        if client is None:
            return
        try:
            for family, control in _FAMILIES.items():
                named = current_hash(client, self._settings.shard, family)
                if family not in self._announced:
                    self._announced[family] = named  # the opening records dealt with it
                elif named != self._announced[family]:
                    self._announced[family] = named
                    block = current_block(client, self._settings.shard, family, self._day.session, self._say)
                    if block is not None:
                        feed.announce(control, block, self._clock.now_ns())
        except RedisError:
            return  # asked again; the recorder says that Redis is away

    def _client(self) -> Any:
        try:
            return self._manager.connect()
        except StoreUnavailable as error:
            self._say(f"recording without Redis for now: {error}")
            return None

    def _snapshot(self, feed: Feed, recorder: Recorder, state: str) -> None:
        statuses = [ticker.status for ticker in self._sockets]
        self._snapshots.recording(feed, recorder, statuses, clock=self._clock, state=state, refused=self._plan.refused)
