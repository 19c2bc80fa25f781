import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_platform.cli.children import Children
from trading_platform.errors import ChildFailed


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    made = Children(dict(os.environ), tmp_path / "logs")
    yield made
    made.stop_all()


def _python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def _read_pid(path: Path) -> int:
    limit = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < limit
        time.sleep(0.02)
    return int(path.read_text())


def test_the_folder_of_logs_is_for_this_user_alone(children: Children, tmp_path: Path) -> None:
    children.run("quiet", *_python("pass"))
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700


def test_a_command_gives_what_it_printed(children: Children) -> None:
    assert children.run("hello", *_python("print('hello')")) == "hello\n"


def test_a_command_that_fails_shows_the_end_of_its_log(children: Children) -> None:
    with pytest.raises(ChildFailed, match=r"(?s)broken ended with 3.*the reason"):
        children.run("broken", *_python("print('the reason'); raise SystemExit(3)"))


def test_a_process_that_ends_by_itself_is_named(children: Children) -> None:
    children.start("short", *_python("raise SystemExit(4)"))
    with pytest.raises(ChildFailed, match="short ended by itself with 4"):
        while True:
            children.require_alive()
            time.sleep(0.02)


def test_a_good_end_that_is_expected_is_no_failure_and_a_bad_one_is(children: Children) -> None:
    children.start("meant", *_python("pass"), ends=True)
    os.waitid(os.P_PID, children.pid("meant"), os.WEXITED | os.WNOWAIT)
    children.require_alive()
    children.start("bad", *_python("raise SystemExit(3)"), ends=True)
    with pytest.raises(ChildFailed, match="bad ended by itself with 3"):
        while True:
            children.require_alive()
            time.sleep(0.02)
    assert children.has_ended("meant")


def test_more_in_the_environment_is_for_one_process_alone(children: Children) -> None:
    show = _python("import os; print(os.environ.get('TP_MORE'))")
    children.start("one", *show, environment={"TP_MORE": "yes"})
    while not children.has_ended("one"):
        time.sleep(0.02)
    assert (children.printed("one"), children.run("other", *show)) == ("yes\n", "None\n")


def test_a_good_end_is_told_once_and_then_forgotten(children: Children) -> None:
    children.start("fine", *_python("pass"))
    while not children.has_ended("fine"):
        time.sleep(0.02)
    children.require_alive()


def test_stopping_takes_grandchildren_down_too(children: Children, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    grandchild = "import time; time.sleep(300)"
    children.start(
        "parent",
        *_python(
            "import subprocess, sys, time, pathlib\n"
            f"child = subprocess.Popen([sys.executable, '-c', {grandchild!r}])\n"
            f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))\n"
            "time.sleep(300)\n"
        ),
    )
    found = _read_pid(pid)
    children.stop_all()
    limit = time.monotonic() + 5
    while not _gone(found):
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_process_that_ignores_the_request_is_killed(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading_platform.cli.children.STOP_SECONDS", 0.5)
    pid = tmp_path / "pid"
    children.start(
        "stubborn",
        *_python(
            "import signal, time, pathlib, os\n"
            f"signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN)\n"
            f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
            "time.sleep(300)\n"
        ),
    )
    found = _read_pid(pid)
    children.stop_all()
    assert _gone(found)
