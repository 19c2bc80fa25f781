"""Start a platform: supervisor, then its processes in the order in which they need each other, each waited for."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

from pydantic import SecretStr

from trading_platform.batch.dump_days import keep_dump
from trading_platform.errors import CannotStart, ChildFailed, TookTooLong
from trading_platform.kite.login import log_in
from trading_platform.kite.rest import KiteRest
from trading_platform.kite.stored_login import LoginFile
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.supervision.control import AT_WORK, Control
from trading_platform.supervision.late_start import fetch_instruments
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import (
    CODE_SERVER,
    DAEMON,
    ENGINE,
    EXCHANGE,
    FEED,
    LIVE,
    VALKEY,
    WEBSERVER,
    Plan,
)
from trading_platform.supervision.preflight import MARK, faults
from trading_platform.supervision.processes import end_supervisor, prepare_home, start_supervisor, tail
from trading_platform.supervision.readiness import Probe, probes

READY_SECONDS = 120.0
_POLL_SECONDS = 0.2
_STAGES = ((VALKEY,), (EXCHANGE,), (CODE_SERVER, FEED, ENGINE), (WEBSERVER, DAEMON))
_WAITED_FOR_BEFORE_THE_NEXT = (VALKEY, EXCHANGE, CODE_SERVER)

Say = Callable[[str], None]


class Start:
    """One start; what it began it ends again when it fails."""

    def __init__(self, settings: Settings, plan: Plan, say: Say, *, ready_seconds: float = READY_SECONDS) -> None:
        self._settings, self._plan, self._say, self._limit = settings, plan, say, ready_seconds
        self._places = Places.of(settings.data_dir)
        self._begun = elapsed_ns()

    def run(self) -> None:
        """Start everything and return when all of it is ready; raise CannotStart, ChildFailed or TookTooLong."""
        found = faults(self._settings, self._places, self._plan.profile)
        if found:
            raise CannotStart("cannot start:\n" + "\n".join(f"  {one}" for one in found))
        with self._places.locked():
            home = prepare_home(self._settings, self._places)
            self._say(f"[{self._seconds():4.0f} s] Dagster home {home}")
            (self._settings.data_dir / MARK).write_text(f"{self._plan.profile}\n")
            control = start_supervisor(self._places, self._plan, home)
            with ExitStack() as undo:
                undo.callback(end_supervisor, self._places, control)
                self._start(control)
                undo.pop_all()

    def _start(self, control: Control) -> None:
        if self._plan.profile == LIVE:
            fetch_instruments(self._settings, load_session_table(), Clock.wall(), self._say)
        asked = probes(self._settings, self._places, self._plan, wall_seconds)
        waiting: list[str] = []
        for stage in _STAGES:
            begun = [name for name in stage if name in self._plan.names]
            for name in begun:
                control.start(name)
            waiting += begun
            for name in [one for one in waiting if one in _WAITED_FOR_BEFORE_THE_NEXT]:
                self._wait(control, name, asked)
                waiting.remove(name)
            if EXCHANGE in begun:
                self._enter_exchange()
        for name in waiting:
            self._wait(control, name, asked)

    def _wait(self, control: Control, name: str, asked: Mapping[str, Probe]) -> None:
        wait_until_ready(control, self._plan, name, asked[name], seconds=self._limit, others=tuple(self._plan.names))
        self._say(f"[{self._seconds():4.0f} s] {name} is ready")

    def _enter_exchange(self) -> None:
        """Log in to the simulated exchange and fetch its instruments, as a morning does with Kite."""
        usual, root, session = Credentials(), self._plan.exchange_root, self._plan.exchange_session
        if root is None or session is None:
            return
        key = SecretStr(usual.api_key)
        login = log_in(key, SecretStr(usual.api_secret), SecretStr(usual.request_token), root=root, clock=Clock.wall())
        LoginFile.of(self._settings.data_dir, self._settings.shard).write(login)
        content = KiteRest(key, login.access_token, root=root).instruments_csv()
        keep_dump(self._settings.dumps_dir, session, content)

    def _seconds(self) -> float:
        return (elapsed_ns() - self._begun) / NS_PER_SECOND


def wait_until_ready(
    control: Control, plan: Plan, name: str, probe: Probe, *, seconds: float, others: tuple[str, ...] = ()
) -> None:
    """Wait until a process does its work; raise ChildFailed when it or one of the others died, or TookTooLong."""
    begun = elapsed_ns()
    while True:
        states = control.states()
        for one in {name, *others}:
            state = states[one]
            if state.state not in AT_WORK and (one == name or state.state != "STOPPED"):
                log = plan.service(one).log
                raise ChildFailed(f"{one} does not start ({state.trouble or state.state}); {log} ends:\n{tail(log)}")
        state = states[name]
        missing = probe(state.pid or 0, state.age_seconds or 0.0)
        if missing is None:
            return
        if elapsed_ns() - begun > seconds * NS_PER_SECOND:
            log = plan.service(name).log
            raise TookTooLong(f"{name} is not ready after {seconds:.0f} s: no {missing}; {log} ends:\n{tail(log)}")
        pause(_POLL_SECONDS)


def wall_seconds() -> float:
    """Return seconds since the epoch."""
    return Clock.wall().now_ns() / NS_PER_SECOND
