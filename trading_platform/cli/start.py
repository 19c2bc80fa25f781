"""`trading-platform start` and `restart`: the whole platform under a supervisor, on Kite or on a simulated exchange."""

from datetime import date, datetime, timedelta
from typing import Annotated

import typer

from trading_platform.cli.console import say
from trading_platform.cli.play_inputs import DEFAULT_SESSION
from trading_platform.errors import NoSessionError, NotRunning, UnknownSessionDate
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.journal import journal_sessions
from trading_platform.supervision.arrange import arrange
from trading_platform.supervision.control import Control
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import SIMULATED, Plan, Profile
from trading_platform.supervision.readiness import probes
from trading_platform.supervision.starting import READY_SECONDS, Start, wait_until_ready, wall_seconds
from trading_platform.supervision.status import plan_of
from trading_platform.supervision.stopping import stop_one, stop_platform

UNCLEAN = 3

_START_HELP = """Start the platform and return when all of it is ready: Valkey, feed, engine, Dagster's code server,
webserver and daemon.

Before anything is started everything that stands in the way is named, with what to do: a token that is missing or
died, a port that is taken, too little disk, a Redis that may drop keys, another platform on the same data folder. A
supervisor then looks after the processes: what dies is started again, after 1, 2, 3 seconds and so on; what dies five
times within a minute of its start is given up, and status and health say so. Feed and engine go on from session to
session; on a closed market they wait and say so. What fails to start is named with the end of its log, and what was
started is stopped again. Redis named by TP_REDIS_URL is used as it is, without it the embedded Valkey is started.

--profile simulated needs no Kite key: an exchange on loopback trades a synthetic session, each start the next one, in
a data folder of its own.

Example: trading-platform start --profile simulated

Exit codes: 0 everything is ready, 2 it could not start (the message says what has to be mended).
"""

_RESTART_HELP = """Stop the platform and start it with the same profile, or start one of its processes again.

Example: trading-platform restart engine

Exit codes: 0 everything is ready again, 2 it could not be (the message says what has to be mended), 3 it is ready, but
something had to be killed before (named).
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("start", help=_START_HELP)(start)
    app.command("restart", help=_RESTART_HELP)(restart)


def start(
    *,
    profile: Annotated[Profile, typer.Option(help="where market data comes from")] = "live",
    session: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="simulated: the session; else the next one")
    ] = None,
    names: Annotated[int, typer.Option(min=1, help="simulated: synthetic names beside index, futures, options")] = 50,
    speed: Annotated[float, typer.Option(min=0.1, max=600.0, help="simulated: seconds per real second")] = 1.0,
    ready_within: Annotated[float, typer.Option(min=1.0, help="seconds that each process may take")] = READY_SECONDS,
) -> None:
    """Start everything."""
    settings = load_settings()
    places = Places.of(settings.data_dir)
    trades = None
    if profile == SIMULATED:
        trades = session.date() if session is not None else next_simulated(settings)
    plan = arrange(settings, places, profile, session=trades, names=names, speed=speed)
    Start(settings, plan, say, ready_seconds=ready_within).run()
    _tell(plan)


def restart(name: Annotated[str | None, typer.Argument(help="only this process")] = None) -> None:
    """Stop and start."""
    settings = load_settings()
    plan = plan_of(settings)
    if name is not None:
        found = _restart_one(settings, plan, name)
    else:
        try:
            found = stop_platform(settings, say)
        except NotRunning:
            found = []
        trades = next_simulated(settings) if plan.profile == SIMULATED else None
        fresh = arrange(settings, Places.of(settings.data_dir), plan.profile, session=trades, speed=plan.exchange_speed)
        Start(settings, fresh, say).run()
        _tell(fresh)
    for one in found:
        say(f"warning: {one}", error=True)
    if found:
        raise typer.Exit(UNCLEAN)


def next_simulated(settings: Settings) -> date:
    """Return the session that a simulated exchange trades: the usual one, or the first behind what is recorded."""
    held = journal_sessions(settings.journal_dir, settings.shard)
    if not held:
        return DEFAULT_SESSION
    table, day = load_session_table(), max(held)
    try:
        while not table.is_session(SessionClass.NSE_CASH, day := day + timedelta(days=1)):
            pass
    except UnknownSessionDate as error:
        raise NoSessionError(f"{error}; or trade a session again in another TP_DATA_DIR") from None
    return day


def _restart_one(settings: Settings, plan: Plan, name: str) -> list[str]:
    places = Places.of(settings.data_dir)
    plan.service(name)
    control = Control(places.control)
    with places.locked():
        found = stop_one(places, control, name)
        control.start(name)
        asked = probes(settings, places, plan, wall_seconds)
        wait_until_ready(control, plan, name, asked[name], seconds=READY_SECONDS)
    say(f"{name} is ready")
    return found


def _tell(plan: Plan) -> None:
    if plan.exchange_session is not None:
        say(f"a simulated exchange trades {plan.exchange_session} at {plan.exchange_speed:g} times real speed")
    say(f"Dagster UI: http://127.0.0.1:{plan.webserver_port}")
    say("how it is: trading-platform status, and trading-platform health; the end: trading-platform stop")
