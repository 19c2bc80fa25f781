"""`trading-platform engine`: the streaming engine of one shard, session after session."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import redis
import typer

from trading_platform._jit_cache import code_fingerprint
from trading_platform.calc.session_pass import SessionPass
from trading_platform.cli.console import say
from trading_platform.cli.engine_report import EngineReport
from trading_platform.cli.stop_signal import Stop
from trading_platform.errors import EngineError, JournalChanged, StoreRefused, StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.engine_outputs import RedisEngineOutputs
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.record_source import LiveRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.streaming.engine import Engine, start_engine
from trading_platform.streaming.engine_lock import engine_lock
from trading_platform.streaming.follow import next_session
from trading_platform.wire.redis_keys import SESSION_SECONDS

T = TypeVar("T")

SILENCE_SECONDS = 5
IDLE_SECONDS = 0.2
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


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

    A session that is not closed is waited for; a line says so when no record comes. `<data_dir>/engine/SHARD.json`
    says how it goes, once a second.

    Exit codes: 0 asked to stop or finished, 2 something has to be mended first (the message says what).
    """
    if rebuild and session is None:
        raise EngineError("--rebuild wants to know which session: add --session YYYY-MM-DD")
    if session is not None:
        _require_session(session.date())
    worker = EngineWorker(load_settings(), Stop())
    if session is not None:
        worker.run(session.date(), rebuild=rebuild)
    else:
        worker.run_all(until_closed=until_closed)


def _require_session(session: date) -> None:
    """Raise NoSessionError or UnknownSessionDate for a date on which no exchange is open."""
    table = load_session_table()
    if not table.any_session_dates(session, session):
        table.session(SessionClass.NSE_CASH, session)


class Silence:
    """Says once, and again after each record, that a session goes on without records."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._since_ns = elapsed_ns()
        self._said = False

    def broken(self) -> None:
        """Note that records came."""
        self._since_ns, self._said = elapsed_ns(), False

    def goes_on(self, state: SessionPass) -> None:
        """Note that none came; say so when that lasts for SILENCE_SECONDS."""
        if self._said or elapsed_ns() - self._since_ns < SILENCE_SECONDS * NS_PER_SECOND:
            return
        self._said = True
        what = f"after record {state.position}" if state.position else "yet: there is no journal"
        self._report(f"{state.session}: no record {what}; waiting, is a player or feed of this shard running?")


class EngineWorker:
    """Runs engines, one session after the other; a lost connection restarts the engine with a growing pause."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        url = settings.redis_url.get_secret_value() if settings.redis_url else None
        self._stop = stop
        self._settings = settings
        self._code = code_fingerprint()
        self._done: set[date] = set()  # finished, or left behind unfinished: not asked for again by this process
        self._manager = RedisManager(url, settings.valkey_dir)
        self._snapshots = EngineReport(settings, self._report)
        self._steps = 0
        self._rebuild = False
        self._snapshots.waiting("starting", "the first look at journal and Redis")

    def run_all(self, *, until_closed: bool) -> None:
        """Work on every session of the shard, oldest first; go on with new ones unless `until_closed`."""
        while not self._stop.asked:
            wanted = self._retrying(self._next_session)
            if wanted is not None:
                self._work_on(wanted, only=False)
                self._done.add(wanted)
            elif until_closed:
                break
            else:
                self._snapshots.waiting("idle")
                self._stop.wait(IDLE_SECONDS)
        self._snapshots.stopped()

    def run(self, session: date, *, rebuild: bool) -> None:
        """Work on one session until it is closed or we are asked to stop."""
        self._rebuild = rebuild
        self._work_on(session, only=True)

    def _work_on(self, session: date, *, only: bool) -> None:
        with engine_lock(self._state_folder(session)):
            self._retrying(lambda: self._attempt(session, only=only))

    def _attempt(self, session: date, *, only: bool) -> None:
        """Recover, then step until the session is closed, left or we are asked to stop; raise StoreUnavailable."""
        self._snapshots.started()
        running = self._start(session)
        if running is None:
            return
        self._rebuild = False
        progress = running.progress
        say(f"engine {session}: state at record {progress.recovered_from}, outputs at {progress.replayed_to}")
        try:
            left = self._step_on(running, only=only)
            running.save_state()
        finally:
            running.finish()
        self._snapshots.ended(running)
        state = running.state
        if state.closed:
            say(f"engine {session}: closed at record {state.position}, {state.digest()}")
        elif left:
            say(f"engine {session}: not closed at record {state.position}, but a later session has begun: going on")
        else:
            say(f"engine {session}: stopped at record {state.position}")

    def _step_on(self, running: Engine, *, only: bool) -> bool:
        """Step until the session is closed or we are asked to stop; return whether it was left for a later one."""
        overtaken = False
        silence = Silence(self._report)
        while not running.state.closed and not self._stop.asked:
            if running.step():
                self._steps += 1
                overtaken = False
                silence.broken()
            elif overtaken:
                return True
            else:
                silence.goes_on(running.state)
                # asked before the last look at this session, so that none of its records can be missed
                overtaken = not only and self._has_later(running.state.session)
        return False

    def _retrying(self, attempt: Callable[[], T]) -> T | None:
        """Return what `attempt` gives; while Redis is away try again with a growing pause, None when asked to stop."""
        failures = 0
        while not self._stop.asked:
            steps = self._steps
            try:
                return attempt()
            except StoreRefused:
                raise
            except (StoreUnavailable, JournalChanged) as error:
                failures = 0 if self._steps > steps else failures
                seconds = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                self._report(f"{error}; trying again in {seconds} s")
                self._snapshots.waiting("waiting", str(error))
                self._stop.wait(seconds)
        return None

    def _start(self, session: date) -> Engine | None:
        settings, client = self._settings, self._manager.connect()
        source = self._source(client, session)
        return start_engine(
            lambda: SessionPass(session, source.blob),
            source=source,
            outputs=RedisEngineOutputs(client, settings.shard, session, identity=source.identity),
            files=self._files(session),
            state_every_seconds=settings.state_every_seconds,
            elapsed_ns=elapsed_ns,
            report=self._report,
            stopped=lambda: self._stop.asked,
            rebuild=self._rebuild,
            latency=self._snapshots.latency,
            watch=self._watch,
        )

    def _watch(self, running: Engine) -> None:
        self._snapshots.running(running, "running" if running.caught_up else "catching up")

    def _next_session(self) -> date | None:
        """Return the session that wants an engine."""
        client, shard = self._manager.connect(), self._settings.shard
        journals = [one for one in self._journals() if one not in self._done]
        wanted = next_session(
            journals,
            held=lambda session: RedisEngineOutputs(
                client, shard, session, identity=self._source(client, session).identity
            ).held(),
            has_state=lambda session, record: self._files(session).has(record),
            expired=self._has_expired,
        )
        self._done.update(one for one in journals if wanted is None or one < wanted)
        return wanted

    def _source(self, client: redis.Redis, session: date) -> LiveRecords:
        return LiveRecords(client, self._settings.journal_dir, self._settings.shard, session)

    def _has_expired(self, session: date) -> bool:
        closed_at = self._files(session).closed_at_ns()
        return closed_at is not None and Clock.wall().now_ns() - closed_at > SESSION_SECONDS * NS_PER_SECOND

    def _has_later(self, session: date) -> bool:
        return any(one > session for one in self._journals())

    def _journals(self) -> list[date]:
        return journal_sessions(self._settings.journal_dir, self._settings.shard)

    def _files(self, session: date) -> StateFiles:
        return StateFiles(self._state_folder(session), code=self._code, report=self._report)

    def _state_folder(self, session: date) -> Path:
        return self._settings.state_dir / self._settings.shard / f"{session:%Y%m%d}"

    def _report(self, text: str) -> None:
        say(f"engine: {text}", error=True)
