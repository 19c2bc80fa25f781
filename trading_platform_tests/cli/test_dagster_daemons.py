import subprocess
from pathlib import Path
from typing import Any

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
