"""Stop a platform in the order that loses nothing: feed, engine behind the last record, Dagster, the server last."""

from collections.abc import Callable

from trading_platform.errors import NotRunning
from trading_platform.health.snapshots import EngineSnapshot, FeedSnapshot, observe
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.settings import Settings
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.supervision.control import ENDED, Control
from trading_platform.supervision.orphans import orphans
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import CODE_SERVER, ENGINE, STOP_ORDER, VALKEY, read_plan
from trading_platform.supervision.processes import end_processes, end_supervisor

DRAIN_SECONDS = 30.0
_ORPHAN_SECONDS = 30.0
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 10.0
_OFFSPRING_SECONDS = 15.0

_AGAIN_SECONDS = 3.0
"""After a first SIGTERM Dagster's code server takes no calls any more, and may wait for ever; another one ends that."""

Say = Callable[[str], None]


def stop_platform(settings: Settings, say: Say, *, drain_seconds: float = DRAIN_SECONDS) -> list[str]:
    """Stop all that runs on this data folder; return what did not end as it should. Raise NotRunning."""
    places = Places.of(settings.data_dir)
    control = Control(places.control)
    if not places.folder.exists():
        raise NotRunning(f"nothing runs on {settings.data_dir.absolute()}")
    with places.locked():
        if not control.is_running():
            return _stop_orphans(settings, places, say)
        found: list[str] = []
        for name in [one for one in STOP_ORDER if one in control.states()]:
            if name == ENGINE and not _drained(settings, control, drain_seconds):
                found.append(
                    f"the engine did not take the last record within {drain_seconds:.0f} s: it does at its start"
                )
            found += stop_one(places, control, name)
            found += _end_offspring(places, name)
            say(f"{name} is stopped")
        end_supervisor(places, control)
        return found


def stop_one(places: Places, control: Control, name: str) -> list[str]:
    """Stop one process and wait for its end; return what did not end as it should."""
    before = control.state(name)
    if before.state in ENDED:
        return []
    control.stop(name)
    plan = read_plan(places)
    limit = _GRACE_SECONDS + (0 if plan is None else plan.service(name).stop_seconds)
    begun, again = elapsed_ns(), _AGAIN_SECONDS if name == CODE_SERVER else float("inf")
    while (state := control.state(name)).state not in ENDED:
        waited = (elapsed_ns() - begun) / NS_PER_SECOND
        if waited > again:
            control.ask_again(name)
            again += _AGAIN_SECONDS
        if waited > limit:
            return [f"{name} (process {state.pid}) does not end"]
        pause(_POLL_SECONDS)
    patience = limit - _GRACE_SECONDS
    return [f"{name} had to be killed"] if patience and (elapsed_ns() - begun) / NS_PER_SECOND >= patience else []


def _end_offspring(places: Places, name: str) -> list[str]:
    """End what a process started itself and left, such as runs of Dagster that are being cancelled."""
    left = [pid for pid, of in orphans(places).items() if of == name]
    return [f"{name} left process {pid}, which had to be killed" for pid in end_processes(left, _OFFSPRING_SECONDS)]


def _drained(settings: Settings, control: Control, seconds: float) -> bool:
    """Wait until the engine has taken the last record of the feed; False when it does not within a limit."""
    begun = elapsed_ns()
    while control.state(ENGINE).is_at_work:
        feed = observe(settings.feed_dir / f"{settings.shard}.json", FeedSnapshot).snapshot
        engine = observe(settings.engine_dir / f"{settings.shard}.json", EngineSnapshot).snapshot
        if feed is None or feed.session is None or feed.last_record is None:
            return True
        if engine is not None and engine.session is not None and engine.position is not None:
            past = engine.session > feed.session
            if past or (engine.session == feed.session and engine.position >= feed.last_record):
                return True
        if elapsed_ns() - begun > seconds * NS_PER_SECOND:
            return False
        pause(_POLL_SECONDS)
    return True


def _stop_orphans(settings: Settings, places: Places, say: Say) -> list[str]:
    """End what a killed supervisor left behind, in order."""
    left = orphans(places)
    if not left:
        raise NotRunning(f"nothing runs on {settings.data_dir.absolute()}")
    found = []
    for name in (*STOP_ORDER, "?"):
        pids = [pid for pid, of in left.items() if of == name]
        killed = end_processes(pids, _ORPHAN_SECONDS)
        found += [f"{name} (process {pid}) had to be killed" for pid in killed]
        if pids:
            say(f"{name} is stopped; its supervisor was gone")
    if VALKEY in left.values():
        EmbeddedValkey(settings.valkey_dir).stop()
    places.process_file.unlink(missing_ok=True)
    places.remove_sockets()
    return found
