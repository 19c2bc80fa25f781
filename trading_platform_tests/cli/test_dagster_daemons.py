import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trading_platform.cli import dagster_daemons
from trading_platform.cli.dagster_daemons import DaemonWatch, ask_dagster
from trading_platform.health.checks_host import DaemonFacts
from trading_platform.market.clock import NS_PER_SECOND


def answering(monkeypatch: pytest.MonkeyPatch, stdout: bytes, code: int = 0, stderr: bytes = b"") -> list[Any]:
    asked: list[Any] = []

    def run(command: Any, **_options: Any) -> "subprocess.CompletedProcess[bytes]":
        asked.append(command)
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_where_no_folder_is_named_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = answering(monkeypatch, b"{}")
    assert ask_dagster(None) == DaemonFacts(asked=False)
    missing = ask_dagster(tmp_path / "home")
    assert missing.asked
    assert "is no folder" in (missing.problem or "")
    assert asked == []


def test_ages_are_read_from_the_last_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answering(monkeypatch, b'a warning\n{"SENSOR": 12.5, "SCHEDULER": null}')
    assert ask_dagster(tmp_path) == DaemonFacts(asked=True, heartbeat_ages={"SENSOR": 12.5, "SCHEDULER": None})


@pytest.mark.parametrize("stdout", [b"", b"[1]", b"x", b'{"SENSOR": "soon"}'])
def test_an_answer_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stdout: bytes) -> None:
    answering(monkeypatch, stdout)
    assert ask_dagster(tmp_path) == DaemonFacts(asked=True, problem="its answer is no JSON")


def test_a_failure_is_told_by_its_last_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answering(monkeypatch, b"", 1, b"Traceback\nDagsterHomeNotSetError: set it\n")
    assert ask_dagster(tmp_path).problem == "DagsterHomeNotSetError: set it"
    answering(monkeypatch, b"", -9)
    assert ask_dagster(tmp_path).problem == "it ended with -9"


def test_one_that_gives_no_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(command: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    assert "no answer" in (ask_dagster(tmp_path).problem or "")


def test_who_asks_often_gets_the_same_answer_for_a_while(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = answering(monkeypatch, b'{"SENSOR": 1.0}')
    now = [0]
    watch = DaemonWatch(tmp_path, elapsed=lambda: now[0])
    for seconds in (0, 1, 29, 30):
        now[0] = seconds * NS_PER_SECOND
        watch.facts()
    assert len(asked) == 1
    now[0] = 31 * NS_PER_SECOND
    watch.facts()
    assert len(asked) == 2
    assert dagster_daemons.KEPT_SECONDS == 30.0


class Webserver(BaseHTTPRequestHandler):
    answer = b""
    asked: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def webserver() -> Iterator[str]:
    Webserver.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Webserver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def told(**beats: tuple[float | None, bool]) -> bytes:
    rows = [
        {"daemonType": name, "required": required, "lastHeartbeatTime": beat}
        for name, (beat, required) in beats.items()
    ]
    return json.dumps({"data": {"instance": {"daemonHealth": {"allDaemonStatuses": rows}}}}).encode()


def test_a_webserver_that_runs_is_asked_and_no_process_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, webserver: str
) -> None:
    started = answering(monkeypatch, b"{}")
    Webserver.answer = told(SENSOR=(time.time() - 60.0, True), SCHEDULER=(None, True), BACKFILL=(1.0, False))
    facts = DaemonWatch(tmp_path, lambda: webserver).facts()
    assert facts.heartbeat_ages is not None
    assert facts.heartbeat_ages["SCHEDULER"] is None
    assert facts.heartbeat_ages["SENSOR"] == pytest.approx(60.0, abs=20.0)
    assert set(facts.heartbeat_ages) == {"SENSOR", "SCHEDULER"}
    assert started == []
    assert b"daemonHealth" in Webserver.asked[0]


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"data": null}', b'{"errors": []}', told(), told(A=("x", True))])
def test_where_a_webserver_gives_no_good_answer_dagster_itself_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, webserver: str, answer: bytes
) -> None:
    started = answering(monkeypatch, b'{"SENSOR": 3.0}')
    Webserver.answer = answer
    assert DaemonWatch(tmp_path, lambda: webserver).facts().heartbeat_ages == {"SENSOR": 3.0}
    assert len(started) == 1


def test_where_no_webserver_answers_dagster_itself_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        started = answering(monkeypatch, b'{"SENSOR": 3.0}')
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert DaemonWatch(tmp_path, lambda: url).facts().heartbeat_ages == {"SENSOR": 3.0}
    assert len(started) == 1
