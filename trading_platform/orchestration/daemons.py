"""Whether Dagster's daemons are alive, by their heartbeats; a program of its own for who does not import Dagster."""

import sys

import orjson
from dagster import DagsterInstance

from trading_platform.market.clock import NS_PER_SECOND, Clock


def heartbeat_ages(instance: DagsterInstance) -> dict[str, float | None]:
    """Return by name of each daemon that this instance needs how long ago it beat (seconds), None for never.

    Dagster itself calls a daemon healthy for half an hour after it died.
    """
    now = Clock.wall().now_ns() / NS_PER_SECOND
    ages: dict[str, float | None] = {}
    for name, status in instance.get_daemon_statuses().items():
        beat = status.last_heartbeat
        ages[name] = None if beat is None else now - beat.timestamp
    return ages


def main() -> None:
    """Print the heartbeats of the instance that DAGSTER_HOME names, as JSON."""
    with DagsterInstance.get() as instance:
        sys.stdout.buffer.write(orjson.dumps(heartbeat_ages(instance)))


if __name__ == "__main__":
    main()
