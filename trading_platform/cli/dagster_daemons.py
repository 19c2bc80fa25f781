"""Ask how Dagster's daemons are: its webserver where one runs, else a process of its own, for Dagster's long import."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from trading_platform.errors import DagsterSilent
from trading_platform.health.checks_host import DaemonFacts
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.settings import environment_with_home
from trading_platform.supervision.heartbeats import heartbeats

LIMIT_SECONDS = 30.0
KEPT_SECONDS = 30.0
"""How long an answer is used again by who asks often."""

_COMMAND = (sys.executable, "-m", "trading_platform.orchestration.daemons")
_SHOWN = 200


class DaemonWatch:
    """Answers that are at most KEPT_SECONDS old."""

    def __init__(
        self,
        home: Path | None,
        webserver: Callable[[], str | None] = lambda: None,
        *,
        elapsed: Callable[[], int] = elapsed_ns,
    ) -> None:
        self._home, self._webserver, self._elapsed = home, webserver, elapsed
        self._asked_ns = 0
        self._facts: DaemonFacts | None = None

    def facts(self) -> DaemonFacts:
        """Return what Dagster says, or said a moment ago."""
        if self._facts is None or self._elapsed() - self._asked_ns > KEPT_SECONDS * NS_PER_SECOND:
            self._facts = ask_webserver(self._webserver()) or ask_dagster(self._home)
            self._asked_ns = self._elapsed()
        return self._facts


def ask_webserver(url: str | None) -> DaemonFacts | None:
    """Return when the daemons beat last as a webserver says it, None without one or without an answer."""
    try:
        beats = {} if url is None else heartbeats(url)
    except DagsterSilent:
        return None
    now = Clock.wall().now_ns() / NS_PER_SECOND
    ages = {name: None if beat is None else now - beat for name, beat in beats.items()}
    return DaemonFacts(asked=True, heartbeat_ages=ages) if ages else None


def ask_dagster(home: Path | None) -> DaemonFacts:
    """Return when the daemons of the instance in this folder beat last; without a folder nothing is asked."""
    if home is None:
        return DaemonFacts(asked=False)
    if not home.is_dir():  # Dagster would not make it either
        return DaemonFacts(asked=True, problem=f"DAGSTER_HOME {home} is no folder")
    try:
        done = subprocess.run(
            _COMMAND, capture_output=True, timeout=LIMIT_SECONDS, check=False, env=environment_with_home(home)
        )
    except subprocess.TimeoutExpired:
        return DaemonFacts(asked=True, problem=f"Dagster gave no answer in {LIMIT_SECONDS:.0f} s")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return DaemonFacts(asked=True, problem=" ".join(last)[:_SHOWN] or f"it ended with {done.returncode}")
    try:
        found = orjson.loads(done.stdout.splitlines()[-1])
        ages = {str(name): None if age is None else float(age) for name, age in found.items()}
        return DaemonFacts(asked=True, heartbeat_ages=ages)
    except (IndexError, AttributeError, TypeError, ValueError):
        return DaemonFacts(asked=True, problem="its answer is no JSON")
