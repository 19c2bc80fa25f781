"""Make the plan of a platform from the settings: which processes, by which commands, with what environment."""

import socket
import sys
from datetime import date
from pathlib import Path

from trading_platform.settings import Settings
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import (
    CODE_SERVER,
    DAEMON,
    ENGINE,
    EXCHANGE,
    FEED,
    LIVE,
    SIMULATED,
    VALKEY,
    WEBSERVER,
    Plan,
    Profile,
    Service,
)

DEFINITIONS = "trading_platform.definitions"
_VALKEY_PROCESS = "trading_platform.supervision.valkey_process"
_PAST_SESSIONS = 20
"""What a baseline looks at: the simulated platform has one as soon as its morning was prepared."""
_SLOW = 10.0


def arrange(
    settings: Settings,
    places: Places,
    profile: Profile,
    *,
    session: date | None = None,
    names: int = 50,
    speed: float = 1.0,
) -> Plan:
    """Return the plan; `session`, `names` and `speed` are of the simulated exchange."""
    services = [_valkey(settings)] if settings.redis_url is None else []
    environment: dict[str, str] = {}
    root = None
    if profile == SIMULATED and session is not None:
        rest, stream = _free_port(), _free_port()
        root = f"http://127.0.0.1:{rest}"
        environment = {
            "TP_KITE_API_KEY": Credentials().api_key,
            "TP_KITE_API_ROOT": root,
            "TP_KITE_WS_ROOT": f"ws://127.0.0.1:{stream}",
        }
        services.append(_exchange(places, session, ports=(rest, stream), names=names, speed=speed))
    services += [_feed(places, root), _engine(places), *_dagster(settings, places)]
    return Plan(
        profile=profile,
        services=tuple(services),
        environment=environment,
        webserver_port=settings.webserver_port,
        exchange_root=root,
        exchange_session=session if profile != LIVE else None,
        exchange_speed=speed,
    )


def _ours(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "trading_platform", *arguments)


def _valkey(settings: Settings) -> Service:
    folder = settings.valkey_dir.absolute()
    command = (sys.executable, "-m", _VALKEY_PROCESS, str(folder))
    return Service(name=VALKEY, command=command, log=folder / "valkey.log", stop_seconds=30)


def _exchange(places: Places, session: date, *, ports: tuple[int, int], names: int, speed: float) -> Service:
    command = _ours(
        "simulate", "--synthetic", "--session", session.isoformat(), "--names", str(names), "--speed", f"{speed:g}",
        "--hold", "--port", str(ports[0]), "--ws-port", str(ports[1]), "--past", str(_PAST_SESSIONS),
        # an index of Kite moves each second; what is fast enough anyway sends no more than its bars give
        *(() if speed > _SLOW else ("--packets-per-second", "1")),
    )  # fmt: skip
    # begun again it would trade its session from the start, behind what is recorded
    return Service(name=EXCHANGE, command=command, log=places.log(EXCHANGE), restarts=False)


def _feed(places: Places, root: str | None) -> Service:
    clock = () if root is None else ("--clock", f"{root}/simulator/clock")
    return Service(name=FEED, command=_ours("feed", *clock), log=places.log(FEED), stop_seconds=30)


def _engine(places: Places) -> Service:
    return Service(name=ENGINE, command=_ours("engine"), log=places.log(ENGINE), stop_seconds=30)


def _dagster(settings: Settings, places: Places) -> list[Service]:
    tools, workspace = Path(sys.executable).parent, str(places.workspace)
    code = (sys.executable, "-m", "dagster", "api", "grpc", "-m", DEFINITIONS, "--socket", str(places.code),
            "--location-name", "trading_platform")  # fmt: skip
    web = (str(tools / "dagster-webserver"), "-w", workspace, "-h", "127.0.0.1", "-p", str(settings.webserver_port))
    daemon = (str(tools / "dagster-daemon"), "run", "-w", workspace)
    return [
        Service(name=CODE_SERVER, command=code, log=places.log(CODE_SERVER), stop_seconds=60, grouped=True),
        Service(name=WEBSERVER, command=web, log=places.log(WEBSERVER)),
        Service(name=DAEMON, command=daemon, log=places.log(DAEMON), stop_seconds=30),
    ]


def workspace_text(places: Places) -> str:
    """Return the workspace that names the code server's socket."""
    quoted = "'" + str(places.code).replace("'", "''") + "'"
    server = f"host: localhost\n      socket: {quoted}\n      location_name: trading_platform\n"
    return f"load_from:\n  - grpc_server:\n      {server}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
