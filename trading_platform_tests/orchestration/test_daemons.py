"""Heartbeats of a real instance, and the program that prints them."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
from dagster import DagsterInstance
from dagster._daemon.types import DaemonHeartbeat  # what a daemon itself writes

from trading_platform.market.clock import NS_PER_SECOND, Clock
from trading_platform.orchestration.daemons import heartbeat_ages
from trading_platform.orchestration.instance import prepare_dagster_home


def test_a_daemon_that_never_beat_has_no_age_and_one_that_did_has_one(tmp_path: Path) -> None:
    home = prepare_dagster_home(tmp_path)
    with DagsterInstance.from_config(str(home)) as instance:
        assert set(heartbeat_ages(instance).values()) == {None}
        assert "SENSOR" in heartbeat_ages(instance)
        now = Clock.wall().now_ns() / NS_PER_SECOND
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - 100.0, "SENSOR", "some-id", []))
        age = heartbeat_ages(instance)["SENSOR"]
        assert age is not None
        assert 100.0 <= age < 160.0
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    command = [sys.executable, "-m", "trading_platform.orchestration.daemons"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    printed = orjson.loads(done.stdout.splitlines()[-1])
    assert printed["SENSOR"] >= 100.0
    assert printed["SCHEDULER"] is None
