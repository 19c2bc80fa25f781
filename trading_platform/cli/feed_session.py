"""One session of the feed: its journal, its opening records, its sockets, and its end."""

from contextlib import ExitStack
from typing import Any

import numpy as np
from redis.exceptions import RedisError

from trading_platform._version import __version__
from trading_platform.cli.feed_blocks import FAMILIES, BlockWatch
from trading_platform.cli.feed_candles import FeedCandles
from trading_platform.cli.feed_clock import not_behind
from trading_platform.cli.feed_inputs import ContinuousHours, SocketPlan, UniverseFile
from trading_platform.cli.feed_limits import FeedLimits, Waits
from trading_platform.cli.feed_report import FeedReport
from trading_platform.cli.session_opening import Say, current_hash, opening_contents
from trading_platform.errors import StoreUnavailable
from trading_platform.kite.key_gate import KeyGate
from trading_platform.kite.reconnect import Reconnect
from trading_platform.kite.ticker import Ticker
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionTable
from trading_platform.ports import SessionContents, Timepiece
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.feed import Feed
from trading_platform.streaming.journal_edges import JournalTail, journal_tail, opening_records
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType

_TICK_SECONDS = 0.2
_SNAPSHOT_NS = NS_PER_SECOND
_JOIN_SECONDS, _DRAIN_SECONDS = 2.0, 10.0
_LATE_SECONDS = 10.0


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
        self._hours = ContinuousHours(day, table)
        self._candles = FeedCandles(self._hours, gate, self._limits.candles, say=say)
        self._known: dict[str, str | None] = {}  # the block of each family that is current, as the journal has it
        self._universe = UniverseFile(settings.feed_dir / f"{settings.shard}.universe.json", day)
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
            sockets = range(len(self._plan.sockets))
            tail = journal_tail(history, sockets) if recorder.last_number else JournalTail()
            if tail.closed:
                self._say(f"{session}: the session is closed in its journal, nothing more is recorded")
                return True
            self._open(recorder, history, tail)
            self._snapshots.begin(session)
            self._change_universe(None)
            feed = Feed(
                recorder,
                report=self._say,
                queue_bytes=self._limits.queue_bytes,
                tail=tail,
                left_out=frozenset(self._plan.planned) - self._plan.tokens,
                planned=dict(enumerate(self._plan.sockets)),
                on_gap=self._candles.gap,
                missed_since=self._missed_since,
            )
            self._candles.start(settings, session, feed, clock=self._clock, until=recorder.last_number)
            feed.start()
            over = self._record(feed, recorder)
            if over:
                recorder.control(ControlType.SESSION_CLOSED, received_ns=self._clock.now_ns())
            self._snapshot(feed, recorder, "closed" if over else "stopped")
            return over

    def _open(self, recorder: Recorder, history: JournalReader, tail: JournalTail) -> None:
        """Write what a reader has to know before the first frame, or what is missing of it after a crash."""
        session, shard = self._day.session, self._settings.shard
        held = opening_records(history) if recorder.last_number else {}
        if recorder.last_number:
            self._say(f"{session}: continuing the journal behind record {recorder.last_number}")
            self._disconnect_all(recorder, tail)
            self._go_on(recorder, tail.last_ns)
        at_ns = self._clock.now_ns()
        if not recorder.last_number:
            recorder.control(
                ControlType.SESSION_OPENED,
                received_ns=at_ns,
                session=session.isoformat(),
                shard=shard,
                platform_version=__version__,
            )
        contents = self._contents(self._client(), held)
        for control, content in contents.named:
            if control not in held:  # settings and instruments of a session stay what they were at its beginning
                recorder.control(control, received_ns=at_ns, content=content)
        recorder.flush()

    def _contents(self, client: Any, held: dict[ControlType, str | None]) -> SessionContents:
        """Collect what the opening records name, without seeds and baseline when Redis does not answer."""
        day, settings, shard = self._day, self._settings, self._settings.shard
        try:
            for family, control in FAMILIES.items():
                self._known[family] = held.get(control, None if client is None else current_hash(client, shard, family))
            return opening_contents(day, settings, shard, table=self._table, client=client, say=self._say)
        except RedisError as error:
            self._say(f"recording without Redis for now: {error}")
            return opening_contents(day, settings, shard, table=self._table, client=None, say=self._say)

    def _go_on(self, recorder: Recorder, last_ns: int) -> None:
        """Let receive times go on from the last record when the machine's clock shows an earlier time."""
        given = self._clock
        shown_ns = given.now_ns()
        self._clock = not_behind(given, last_ns, self._say)
        if self._clock is not given:
            recorder.control(ControlType.CLOCK_STEP, received_ns=last_ns, from_ns=last_ns, to_ns=shown_ns)

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
        blocks = self._watch_blocks(feed)
        stuck: list[int] = []
        try:
            try:
                self._keep_sockets(feed, recorder)
            finally:
                stuck = self._stop_sockets()
            self._wait_for_candles(feed, recorder)
        finally:
            blocks.stop()
            self._candles.stop()
            if not feed.close(_DRAIN_SECONDS) or stuck:
                self._say(f"sockets {stuck} did not end, {feed.counters.unwritten} entries could not be written")
        return not self._stop.asked

    def _keep_sockets(self, feed: Feed, recorder: Recorder) -> None:
        open_sockets = self._plan.sockets if self._clock.now_ns() < self._ends_ns else []
        for number, tokens in enumerate(open_sockets):
            self._begin_socket(feed, number, tokens)
        self._say(f"{self._day.session}: {len(self._plan.tokens)} instruments on {len(self._sockets)} sockets")
        while not self._stop.asked and self._clock.now_ns() < self._ends_ns:
            self._look_after(feed, recorder)
            self._stop.wait(min(_TICK_SECONDS, self._clock.real_seconds_until(self._ends_ns)))
        if not self._stop.asked:
            feed.session_over(self._clock.now_ns())

    def _stop_sockets(self) -> list[int]:
        """Disconnect; return the numbers of sockets whose threads did not end."""
        for ticker in self._sockets:
            ticker.stop()
        return [ticker.status.socket for ticker in self._sockets if not ticker.join(_JOIN_SECONDS)]

    def _wait_for_candles(self, feed: Feed, recorder: Recorder) -> None:
        """Keep the session open for the candles of its gaps, as long as they come."""
        ended_ns = elapsed_ns()
        while not self._stop.asked and (feed.queue.held_bytes or self._candles.is_busy(ended_ns)):
            feed.require_alive()
            if self._due("snapshot", _SNAPSHOT_NS):
                self._snapshot(feed, recorder, "recording")
            self._stop.wait(_TICK_SECONDS)

    def _missed_since(self, tokens: tuple[int, ...], at_ns: int) -> int | None:
        """Return since when these are traded without us; connecting takes seconds, however fast time runs."""
        return self._hours.missed_since(
            tokens, at_ns, patience_ns=int(_LATE_SECONDS * NS_PER_SECOND * self._clock.rate)
        )

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
            self._change_universe(feed)
            self._snapshot(feed, recorder, "recording")

    def _due(self, what: str, every_ns: int) -> bool:
        now = elapsed_ns()
        if now < self._next.get(what, 0):
            return False
        self._next[what] = now + every_ns
        return True

    def _change_universe(self, feed: Feed | None) -> None:
        """Subscribe and unsubscribe as the file of the universe says; before there is a feed, plan it so."""
        change, wrong = self._universe.changed()
        if wrong:
            self._say(wrong)
        if change is None:
            return
        gone, placed = self._plan.change(change)
        for number, tokens in gone.items():
            self._say(f"socket {number}: {len(tokens)} instruments are removed")
            if feed is not None:
                self._sockets[number].remove(tokens)
        for number, tokens in placed.items():
            self._say(f"socket {number}: {len(tokens)} instruments are added")
            if feed is not None and number < len(self._sockets):
                self._sockets[number].add(tokens)
            elif feed is not None:
                self._begin_socket(feed, number, tokens)
        if self._plan.refused:
            self._say(f"{len(self._plan.refused)} instruments are not added: the sockets of this key are full")

    def _watch_blocks(self, feed: Feed) -> BlockWatch:
        watch = BlockWatch(
            self._manager,
            self._settings.shard,
            self._day.session,
            known=self._known,
            announce=lambda control, block: feed.announce(control, block, self._clock.now_ns()),
            say=self._say,
            every_seconds=self._limits.blocks_seconds,
        )
        watch.start()
        return watch

    def _client(self) -> Any:
        try:
            return self._manager.connect()
        except StoreUnavailable as error:
            self._say(f"recording without Redis for now: {error}")
            return None

    def _snapshot(self, feed: Feed, recorder: Recorder, state: str) -> None:
        statuses = [ticker.status for ticker in self._sockets]
        self._snapshots.recording(
            feed,
            recorder,
            statuses,
            clock=self._clock,
            state=state,
            refused=self._plan.refused,
            candles=self._candles.as_values(),
        )
