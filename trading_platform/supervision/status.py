"""What each process of a platform does just now: its state, since when, how often started again, what it lacks."""

from dataclasses import dataclass
from pathlib import Path

from trading_platform.errors import NotRunning, SupervisorFailed
from trading_platform.health.checks_processes import ProcessFacts
from trading_platform.settings import Settings, dagster_home
from trading_platform.supervision.control import BACKOFF, FATAL, Control, ProcessState
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import WEBSERVER, Plan, read_plan
from trading_platform.supervision.readiness import Probe, probes, waits_for
from trading_platform.supervision.starting import wall_seconds

READY = "ready"


@dataclass(frozen=True, slots=True)
class Row:
    """One process; `ready` tells whether it does its work, `says` what it waits for or why it is not there."""

    name: str
    state: str
    pid: int | None
    up_seconds: float | None
    restarts: int
    ready: bool
    says: str


@dataclass(frozen=True, slots=True)
class Status:
    """A platform: profile, supervisor, processes in the order in which they are stopped."""

    profile: str
    supervisor: int
    rows: tuple[Row, ...]

    @property
    def is_ready(self) -> bool:
        """Tell whether all processes do their work."""
        return all(row.ready for row in self.rows)


def status_of(settings: Settings) -> Status:
    """Ask the supervisor and every process; raise NotRunning or SupervisorFailed."""
    places = Places.of(settings.data_dir)
    control = Control(places.control)
    pid, states, plan = control.pid(), control.states(), read_plan(places)
    if plan is None:
        raise NotRunning(f"a supervisor runs ({pid}) without a plan: trading-platform stop")
    asked = probes(settings, places, plan, wall_seconds)
    rows = tuple(_row(settings, places, states[name], asked[name]) for name in plan.names)
    return Status(plan.profile, pid, rows)


def _row(settings: Settings, places: Places, state: ProcessState, probe: Probe) -> Row:
    name, restarts = state.name, max(0, _starts(places, state.name) - 1)
    if not state.is_at_work:
        return Row(name, state.state, None, None, restarts, ready=False, says=_why(state))
    missing = probe(state.pid or 0, state.age_seconds or 0.0)
    if missing is not None:
        return Row(name, "STARTING", state.pid, state.age_seconds, restarts, ready=False, says=f"no {missing}")
    says = waits_for(settings, name) or READY
    return Row(name, "RUNNING", state.pid, state.age_seconds, restarts, ready=True, says=says)


def _why(state: ProcessState) -> str:
    if state.state == FATAL:
        return f"given up after it died again and again: trading-platform logs {state.name}, then restart {state.name}"
    if state.state == BACKOFF:
        return f"died, and is started again: {state.trouble or 'see its log'}"
    return state.trouble or "not started"


def process_facts(settings: Settings) -> ProcessFacts:
    """Return what health judges; nothing is asked of the processes themselves."""
    places = Places.of(settings.data_dir)
    try:
        states = Control(places.control).states()
    except NotRunning:
        if places.process_file.exists():  # it removes this when it ends in order
            return ProcessFacts(asked=True, problem="the supervisor is gone without a word")
        return ProcessFacts(asked=False)
    except SupervisorFailed as error:
        return ProcessFacts(asked=True, problem=str(error))
    restarts = sum(max(0, _starts(places, name) - 1) for name in states)
    return ProcessFacts(asked=True, states={name: one.state for name, one in states.items()}, restarts=restarts)


def supervised_home(settings: Settings) -> Path | None:
    """Return the Dagster home of the platform that runs on this data folder, None where none was started."""
    named = dagster_home()
    made = settings.data_dir.absolute() / "dagster"
    return named if named is not None or not Places.of(settings.data_dir).process_file.exists() else made


def supervised_webserver(settings: Settings) -> str | None:
    """Return where the webserver of the platform on this data folder answers, None where none is kept running.

    A DAGSTER_HOME that is named may be another instance, which that webserver knows nothing of.
    """
    places = Places.of(settings.data_dir)
    named = dagster_home()
    if named is not None and named.resolve() != (settings.data_dir / "dagster").resolve():
        return None
    try:
        state, plan = Control(places.control).states().get(WEBSERVER), read_plan(places)
    except (NotRunning, SupervisorFailed):
        return None
    if plan is None or state is None or not state.is_at_work:
        return None
    return f"http://127.0.0.1:{plan.webserver_port}"


def _starts(places: Places, name: str) -> int:
    try:
        return len(places.starts(name).read_text().splitlines())
    except FileNotFoundError:
        return 0


def plan_of(settings: Settings) -> Plan:
    """Return the plan of the last start; raise NotRunning before the first."""
    plan = read_plan(Places.of(settings.data_dir))
    if plan is None:
        raise NotRunning(f"nothing was started on {settings.data_dir.absolute()} yet: trading-platform start")
    return plan
