"""What is started, how, and in which order it is stopped: the plan of one platform, kept beside its supervisor."""

import os
from datetime import date
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from trading_platform.errors import SupervisorFailed
from trading_platform.supervision.places import Places

LIVE, SIMULATED = "live", "simulated"
Profile = Literal["live", "simulated"]

RETRIES = 5
"""How often what dies young is started again, after 1, 2, 3, 4 and 5 seconds, before it is given up."""

VALKEY, EXCHANGE, FEED, ENGINE = "valkey", "exchange", "feed", "engine"
CODE_SERVER, WEBSERVER, DAEMON = "code-server", "webserver", "daemon"

STOP_ORDER = (FEED, ENGINE, DAEMON, WEBSERVER, CODE_SERVER, EXCHANGE, VALKEY)
"""The feed first, so that the journal is complete; the server last, since all others use it."""


class Service(BaseModel):
    """One supervised process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    command: tuple[str, ...]
    log: Path
    stop_seconds: int = 20
    """How long it may take to end before it is killed."""
    restarts: bool = True
    retries: int = RETRIES
    grouped: bool = False
    """Whether what it started itself is signalled with it."""


class Plan(BaseModel):
    """A platform: its profile, its processes, and what of its environment is not the user's. No secret is in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Profile
    services: tuple[Service, ...]
    environment: dict[str, str]
    webserver_port: int
    exchange_root: str | None = None
    exchange_session: date | None = None
    exchange_speed: float = 1.0

    def service(self, name: str) -> Service:
        """Return a process by its name; raise SupervisorFailed naming those that there are."""
        for one in self.services:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.services)
        raise SupervisorFailed(f"{name} is no process of this platform; there are {known}")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all processes, in the order in which they are stopped."""
        held = {one.name for one in self.services}
        return tuple(name for name in STOP_ORDER if name in held)


def write_plan(places: Places, plan: Plan) -> None:
    """Keep the plan for who asks, stops and restarts later."""
    unfinished = places.plan.with_suffix(".unfinished")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps(plan.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
    unfinished.replace(places.plan)


def read_plan(places: Places) -> Plan | None:
    """Return the plan of the last start, None before the first; raise SupervisorFailed."""
    try:
        return Plan.model_validate(orjson.loads(places.plan.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError, ValidationError):
        raise SupervisorFailed(f"{places.plan} cannot be read or is of another version: remove it") from None
