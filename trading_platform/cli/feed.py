"""`trading-platform feed`: the sockets of one Kite key, recorded day after day."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Annotated

import typer
from pydantic import SecretStr

from trading_platform.cli.console import say
from trading_platform.cli.feed_clock import exchange_clock, waits_for_us
from trading_platform.cli.feed_inputs import SocketPlan, plan_sockets, planned_classes, read_day, session_times
from trading_platform.cli.feed_limits import FeedLimits, Waits
from trading_platform.cli.feed_report import FeedReport, PlannedHours
from trading_platform.cli.feed_session import FeedSession
from trading_platform.cli.stop_signal import Stop
from trading_platform.errors import MissingInput, SettingsError
from trading_platform.kite.key_gate import KeyGate
from trading_platform.market.clock import Clock, from_ns
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.ports import Timepiece
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.journal import journal_sessions, require_writable
from trading_platform.storage.redis_manager import RedisManager

_HELP = """Connect to Kite, subscribe the day's universe and record every message: one process for each Kite key.

Nothing is decoded and nothing is dropped silently: heartbeats, text messages and every interval without a socket are
records too. The feed connects 15 minutes before the first phase of the day, closes the session a minute after the
last one, and idles between; it continues the journal of a session that it had to leave. When the exchange's one-minute
candles of a gap are there, it fetches them (three requests a second, oldest gap first) and records them, so that the
bars are reconciled; a session with gaps stays open for that up to an hour after its end. `<data_dir>/feed/SHARD.json`
says how it goes, once a second.

`<data_dir>/feed/SHARD.universe.json`, `{"add": [token, ...], "remove": [token, ...]}`, says how the day's universe
differs from its plan, and may be written at any time: what it adds is subscribed, what it removes is not, and a token
that it no longer lists is as planned.

Example: trading-platform feed

Exit codes: 0 asked to stop, or the session is closed (--until-closed); 2 something has to be mended first, such as a
journal folder that cannot be written.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("feed", help=_HELP)(feed)


def feed(
    *,
    until_closed: Annotated[bool, typer.Option(help="end when today's session is closed")] = False,
    clock: Annotated[
        str | None,
        typer.Option(help="URL at which a simulated exchange publishes its clock, running or held"),
    ] = None,
) -> None:
    """Record session after session."""
    worker = FeedWorker(
        load_settings(), Stop(), lambda: Clock.wall() if clock is None else exchange_clock(clock, _report)
    )
    worker.run(until_closed=until_closed)


class FeedWorker:
    """Runs one session after the other, and says what it waits for between them."""

    def __init__(
        self,
        settings: Settings,
        stop: Waits,
        make_clock: Callable[[], Timepiece],
        limits: FeedLimits | None = None,
    ) -> None:
        if settings.kite_api_key is None:
            raise SettingsError("the feed needs kite_api_key: set TP_KITE_API_KEY, or write it into the settings file")
        self._settings, self._stop, self._make_clock = settings, stop, make_clock
        self._limits = limits or FeedLimits()
        self._table = load_session_table()
        self._gate = KeyGate(
            settings.kite_api_key,
            current_token,
            _report,
            check_seconds=self._limits.token_check_seconds,
            retry_seconds=self._limits.token_retry_seconds,
        )
        url = settings.redis_url.get_secret_value() if settings.redis_url else None
        self._manager = RedisManager(url, settings.valkey_dir)
        self._snapshots = FeedReport(settings, self._gate, _report)
        self._told: str | None = None
        self._over: set[date] = set()

    def run(self, *, until_closed: bool) -> None:
        """Record until asked to stop, or until a session is closed; raise JournalWriteFailed when there is no place."""
        require_writable(self._settings.journal_dir, self._settings.shard)
        try:
            while not self._stop.asked:
                # a clock for each day: it runs by the machine's own, which drifts
                if self._attempt(self._make_clock()) and until_closed:
                    break
        finally:
            self._snapshots.stopped()
            self._manager.close()

    def _attempt(self, clock: Timepiece) -> bool:
        """Record the present session, or idle a little; return whether a session is over."""
        session = clock.today()
        if session in self._over or not self._table.any_session_dates(session, session):
            why = "is over" if session in self._over else "no exchange is open"
            return self._idle(f"{session}: {why}; waiting for the next session", clock)
        try:
            day = read_day(self._settings, session)
            plan, missing = plan_sockets(self._settings, day)
            begins_ns, ends_ns = session_times(day, plan.tokens, self._table)
            self._snapshots.plan(PlannedHours(session, begins_ns, ends_ns, planned_classes(day, plan.tokens)))
        except MissingInput as error:
            return self._idle(str(error), clock)
        if clock.now_ns() < begins_ns and not waits_for_us(clock):
            return self._idle(f"{session}: the market is closed; connecting at {from_ns(begins_ns):%H:%M}", clock)
        if clock.now_ns() >= ends_ns and session not in self._journals():
            self._over.add(session)
            return self._idle(f"{session}: the session was over before the feed started", clock)
        for name, reason in missing.items():
            _report(f"{session}: not subscribed: {name}: {reason}")
        self._told = None
        over = self._session(day, plan, clock, ends_ns).run()
        if over:
            self._over.add(session)
            _report(f"{session}: the session is closed")
        return over

    def _session(self, day: InstrumentDay, plan: SocketPlan, clock: Timepiece, ends_ns: int) -> FeedSession:
        return FeedSession(
            self._settings,
            day,
            plan,
            ends_ns=ends_ns,
            clock=clock,
            gate=self._gate,
            manager=self._manager,
            table=self._table,
            snapshots=self._snapshots,
            stop=self._stop,
            say=_report,
            seed=os.getpid(),
            limits=self._limits,
        )

    def _journals(self) -> list[date]:
        return journal_sessions(self._settings.journal_dir, self._settings.shard)

    def _idle(self, why: str, clock: Timepiece) -> bool:
        if why != self._told:
            _report(why)
        self._told = why
        self._snapshots.idle(why, clock)
        self._stop.wait(self._limits.idle_seconds / max(clock.rate, 1.0))
        return False


def _report(text: str) -> None:
    # a log on a full disk, or one that nobody reads any more, must not end the recording
    with suppress(OSError):
        say(f"feed: {text}", error=True)


def current_token() -> SecretStr | None:
    """Return the access token as the settings say now: the file may have been written since the start."""
    return load_settings().kite_access_token
