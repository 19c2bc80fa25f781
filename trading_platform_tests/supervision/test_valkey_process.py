"""The server as a supervised process: it becomes the server itself, or watches over the one that runs."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.supervision.processes import is_there
from trading_platform_tests.supervision.rig import wait_for

Process = subprocess.Popen[bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "valkey"
    EmbeddedValkey(tmp_path / "valkey").stop()


def begun(folder: Path) -> Process:
    command = [sys.executable, "-m", "trading_platform.supervision.valkey_process", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def test_it_becomes_the_server_that_others_attach_to(folder: Path) -> None:
    process = begun(folder)
    server = EmbeddedValkey(folder)
    wait_for(lambda: server.socket_in_use() is not None)
    handle = server.ensure_running()
    assert (handle.pid, handle.started_by_us) == (process.pid, False)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert server.socket_in_use() is None


def test_it_watches_a_server_that_runs_and_ends_with_it(folder: Path) -> None:
    server = EmbeddedValkey(folder)
    running = server.ensure_running().pid
    watching = watched(folder)
    server.stop()
    assert watching.wait(20) == 1  # so that the supervisor starts it again
    running = server.ensure_running().pid
    watching = watched(folder)
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(20) == 0
    assert not is_there(running)


def watched(folder: Path) -> Process:
    """Return a process that has found the server."""
    command = [sys.executable, "-m", "trading_platform.supervision.valkey_process", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"watching it" in process.stderr.readline()
    process.stderr.close()
    return process
