"""A supervisor over small processes, which take the names of the platform's own."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.supervision.control import Control
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import Plan, Service
from trading_platform.supervision.processes import end_supervisor, start_supervisor

LIMIT_SECONDS = 60.0
SLEEPER = "import time; time.sleep(600)"


def wait_for(condition: Callable[[], bool]) -> None:
    begun = elapsed_ns()
    while not condition():
        assert elapsed_ns() - begun < LIMIT_SECONDS * NS_PER_SECOND
        pause(0.05)


def tell(path: Path, values: dict[str, Any]) -> None:
    """Write a snapshot as feed and engine do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS))


def places_in(folder: Path) -> Places:
    places = Places.of(folder / "data")
    places.make()
    return places


def plan_of(places: Places, **changed: object) -> Plan:
    """A plan of small programs by the name of the process; None of them is what its name says."""
    given: dict[str, object] = {"profile": "live", "services": (), "environment": {}, "webserver_port": 1}
    return Plan.model_validate(given | changed)


def small(places: Places, name: str, program: str = SLEEPER, **changed: object) -> Service:
    given = {"name": name, "command": (sys.executable, "-c", program), "log": places.log(name)}
    return Service.model_validate(given | changed)


@contextmanager
def supervised(places: Places, *services: Service) -> Iterator[Control]:
    plan = plan_of(places, services=services)
    control = start_supervisor(places, plan, places.folder)
    try:
        yield control
    finally:
        end_supervisor(places, control)
