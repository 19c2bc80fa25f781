"""`trading-platform engine`: the streaming engine of one shard, session after session."""

import signal
from collections.abc import Callable
from datetime import date, datetime
from itertools import chain, repeat
from types import FrameType
from typing import Annotated, TypeVar

import typer

from trading_platform.calc.session_pass import SessionPass
from trading_platform.cli.console import say
from trading_platform.errors import EngineError, StoreUnavailable
from trading_platform.market.clock import elapsed_ns, pause
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.engine_outputs import RedisEngineOutputs
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.record_source import LiveRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.streaming.engine import Engine, start_engine
from trading_platform.streaming.follow import next_session

T = TypeVar("T")

IDLE_SECONDS = 0.2
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Stop:
    """Turns SIGTERM and SIGINT into a question that the loop asks between two batches."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("engine")(engine)


def engine(
    session: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="only this session")] = None,
    until_closed: Annotated[bool, typer.Option(help="end when every journal of the shard is finished")] = False,
    rebuild: Annotated[bool, typer.Option(help="write this session's outputs again from its first record")] = False,
) -> None:
    """Read recorded frames, compute, and write latest, features, bars and signals to Redis.

    Example: trading-platform engine --until-closed

    Exit codes: 0 asked to stop or finished, 2 something has to be mended first (the message says what).
    """
    if rebuild and session is None:
        raise EngineError("--rebuild wants to know which session: add --session YYYY-MM-DD")
    worker = EngineWorker(load_settings(), Stop())
    if session is not None:
        worker.run(session.date(), rebuild=rebuild)
        return
    while not worker.stop.asked:
        wanted = worker.retrying(worker.next_session)
        if wanted is not None:
            worker.run(wanted, rebuild=False)
        elif until_closed:
            return
        else:
            pause(IDLE_SECONDS)


class EngineWorker:
    """Runs engines, one session after the other; a lost connection restarts the engine with a growing pause."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        url = settings.redis_url.get_secret_value() if settings.redis_url else None
        self.stop = stop
        self._settings = settings
        self._done: set[date] = set()
        self._manager = RedisManager(url, settings.valkey_dir)

    def next_session(self) -> date | None:
        """Return the session that wants an engine."""
        settings, client = self._settings, self._manager.connect()
        journals = [one for one in journal_sessions(settings.journal_dir, settings.shard) if one not in self._done]
        wanted = next_session(
            journals,
            lambda session: self._files(session).finished(),
            lambda session: RedisEngineOutputs(client, settings.shard, session).held(),
        )
        # what is finished stays finished while this process lives: it is not asked for again
        self._done.update(one for one in journals if wanted is None or one < wanted)
        return wanted

    def run(self, session: date, *, rebuild: bool) -> None:
        """Work on one session until it is closed or we are asked to stop."""
        running = self.retrying(lambda: self._start(session, rebuild=rebuild))
        while running is not None:
            say(
                f"engine {session}: state at record {running.progress.recovered_from}, "
                f"outputs at {running.progress.replayed_to}"
            )
            if self._work(running):
                return
            running = self.retrying(lambda: self._start(session, rebuild=False))

    def retrying(self, attempt: Callable[[], T]) -> T | None:
        """Return what `attempt` gives; while Redis is away try again with a growing pause, None when asked to stop."""
        for seconds in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            if self.stop.asked:
                return None
            try:
                return attempt()
            except StoreUnavailable as error:
                say(f"engine: {error}; trying again in {seconds} s", error=True)
                pause(seconds)
        return None

    def _work(self, running: Engine) -> bool:
        """Step until the session is closed (True), we are asked to stop (True), or Redis is lost (False)."""
        try:
            while not running.state.closed and not self.stop.asked:
                running.step()
        except StoreUnavailable as error:
            say(f"engine: {error}; starting again", error=True)
            return False
        if running.state.closed:
            say(f"engine {running.state.session}: closed at record {running.state.position}, {running.state.digest()}")
        return True

    def _start(self, session: date, *, rebuild: bool) -> Engine:
        settings, client = self._settings, self._manager.connect()
        source = LiveRecords(client, settings.journal_dir, settings.shard, session)
        return start_engine(
            lambda: SessionPass(session, source.blob),
            source=source,
            outputs=RedisEngineOutputs(client, settings.shard, session),
            files=self._files(session),
            state_every_seconds=settings.state_every_seconds,
            elapsed_ns=elapsed_ns,
            rebuild=rebuild,
        )

    def _files(self, session: date) -> StateFiles:
        return StateFiles(self._settings.state_dir / self._settings.shard / f"{session:%Y%m%d}")
