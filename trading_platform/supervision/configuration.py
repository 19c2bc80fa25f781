"""The supervisor's configuration, written from the plan at each start: no port, no secret, one private socket."""

import shlex
import sys
from pathlib import Path

from trading_platform.errors import CannotStart
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import STOP_ORDER, Plan, Service

STEADY_SECONDS = 60
"""A process that dies younger counts as one that does not start."""

_LOG_BYTES, _LOG_KEPT = "10MB", 3
_LAUNCH = "trading_platform.supervision.launch"


def configuration_text(places: Places, plan: Plan) -> str:
    """Return the configuration; raise CannotStart for a path that it cannot hold."""
    head = f"""; written at each start; changes are lost
[supervisord]
nodaemon = true
silent = true
logfile = {_path(places.log("supervisord"))}
logfile_maxbytes = {_LOG_BYTES}
logfile_backups = {_LOG_KEPT}
pidfile = {_path(places.process_file)}
childlogdir = {_path(places.logs)}
nocleanup = true

[unix_http_server]
file = {_path(places.control)}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n".join([head, *(_program(places, one) for one in plan.services)])


def _program(places: Places, service: Service) -> str:
    words = [sys.executable, "-m", _LAUNCH, str(places.folder), service.name]
    # the supervisor stops the highest number first
    priority = 100 - STOP_ORDER.index(service.name)
    # this one it expands twice
    log = _escaped(_path(places.log(service.name)))
    return f"""[program:{service.name}]
command = {_escaped(shlex.join(words))}
priority = {priority}
autostart = false
autorestart = {"true" if service.restarts else "false"}
startsecs = {STEADY_SECONDS if service.restarts else 1}
startretries = {service.retries if service.restarts else 0}
stopsignal = TERM
stopwaitsecs = {service.stop_seconds}
stopasgroup = {str(service.grouped).lower()}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = {_LOG_BYTES}
stdout_logfile_backups = {_LOG_KEPT}
"""


def _path(path: Path) -> str:
    return _escaped(str(path))


def _escaped(text: str) -> str:
    """Return a value as the supervisor's parser gives it back; raise CannotStart where none does."""
    if any(sign in text for sign in ("\n", "\r", " ;", " #", "\t;", "\t#")):
        raise CannotStart(f"{text!r} holds a line break, or ; or # behind a blank: choose another data folder")
    return text.replace("%", "%%")
