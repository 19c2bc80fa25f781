import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from trading_platform.errors import StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.storage import embedded_valkey
from trading_platform.storage.embedded_valkey import EmbeddedValkey


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "valkey")
    yield server
    server.stop()


def client_of(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.ensure_running().socket_path))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    begun = elapsed_ns()
    while is_alive(pid):
        assert elapsed_ns() - begun < 60 * NS_PER_SECOND
        pause(0.01)


def test_it_runs_with_our_configuration(server: EmbeddedValkey) -> None:
    settings = client_of(server).config_get("*")
    wanted = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "dir": str(server.folder),
    }
    assert {name: settings[name] for name in wanted} == wanted


def test_everything_is_for_this_user_only(server: EmbeddedValkey) -> None:
    client_of(server).set("key", "value")
    for path in [server.folder, *server.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_second_one_attaches(server: EmbeddedValkey) -> None:
    first = server.ensure_running()
    second = EmbeddedValkey(server.folder).ensure_running()
    assert first.started_by_us
    assert not second.started_by_us
    assert (second.pid, second.socket_path) == (first.pid, first.socket_path)


STARTER = """
import os, sys
from pathlib import Path
from trading_platform.storage.embedded_valkey import EmbeddedValkey
handle = EmbeddedValkey(Path(sys.argv[1])).ensure_running()
print(handle.pid, handle.started_by_us, flush=True)
os.kill(os.getpid(), 9)
"""


def test_processes_that_start_at_once_share_one_server_that_outlives_them(server: EmbeddedValkey) -> None:
    command = [sys.executable, "-c", STARTER, str(server.folder)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = [starter.communicate(timeout=60)[0].split() for starter in starters]
    assert [starter.returncode for starter in starters] == [-signal.SIGKILL] * 4
    assert len({pid for pid, _ in told}) == 1
    assert [started for _, started in told].count("True") == 1
    handle = server.ensure_running()
    assert (handle.pid, handle.started_by_us) == (int(told[0][0]), False)
    assert client_of(server).ping()
    # a Ctrl-C in the starter's terminal does not reach it
    assert os.getsid(handle.pid) == handle.pid


@pytest.mark.parametrize("_", range(3))
def test_a_killed_server_is_replaced_and_keeps_its_data(server: EmbeddedValkey, _: int) -> None:
    for number in range(3):
        handle = server.ensure_running()
        assert handle.started_by_us
        client = client_of(server)
        assert client.get("number") == (None if number == 0 else str(number - 1).encode())
        client.set("number", number)
        os.kill(handle.pid, signal.SIGKILL)
        assert (server.folder / "valkey.sock").exists()


def test_a_stale_pid_that_another_process_has_now_is_not_taken_for_ours(server: EmbeddedValkey) -> None:
    server.ensure_running()
    server.stop()
    (server.folder / "valkey.pid").write_text(str(os.getpid()))
    (server.folder / "valkey.sock").touch()
    assert server.ensure_running().started_by_us
    assert client_of(server).ping()


@pytest.mark.parametrize("content", ["", "x", "-1", "99999999"])
def test_a_spoiled_pid_file_does_no_harm(server: EmbeddedValkey, content: str) -> None:
    server.folder.mkdir()
    (server.folder / "valkey.pid").write_text(content)
    assert server.ensure_running().started_by_us


def test_stopping_ends_it_keeps_the_data_and_may_be_repeated(server: EmbeddedValkey) -> None:
    server.stop()
    handle = server.ensure_running()
    client_of(server).set("key", "value")
    EmbeddedValkey(server.folder).stop()
    wait_for_end(handle.pid)
    server.stop()
    assert client_of(server).get("key") == b"value"


def test_a_server_that_does_not_stop_is_killed(server: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_valkey, "STOP_LIMIT_SECONDS", 0.3)
    handle = server.ensure_running()
    os.kill(handle.pid, signal.SIGSTOP)
    server.stop()
    wait_for_end(handle.pid)


@pytest.mark.parametrize("name", ["x" * 150, 'quote " and \\ and space', "ünïcode"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    server = EmbeddedValkey(tmp_path / name)
    handle = server.ensure_running()
    assert len(os.fsencode(handle.socket_path)) <= 100
    assert stat.S_IMODE(handle.socket_path.parent.stat().st_mode) == 0o700
    assert EmbeddedValkey(tmp_path / name).ensure_running().pid == handle.pid
    server.stop()
    wait_for_end(handle.pid)


def test_a_server_that_cannot_start_is_named_with_the_end_of_its_log(server: EmbeddedValkey) -> None:
    server.ensure_running()
    server.stop()
    manifest = next((server.folder / "appendonlydir").glob("*.manifest"))
    manifest.write_text("this is not a manifest\n")
    with pytest.raises(StoreUnavailable, match="it ended") as raised:
        server.ensure_running()
    assert "manifest" in str(raised.value)


def test_a_server_that_hangs_is_named(server: EmbeddedValkey) -> None:
    handle = server.ensure_running()
    os.kill(handle.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match=f"process {handle.pid}"):
            EmbeddedValkey(server.folder, start_limit_seconds=0.2).ensure_running()
    finally:
        os.kill(handle.pid, signal.SIGCONT)


def test_a_line_break_in_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="line break"):
        EmbeddedValkey(tmp_path / "a\nb").ensure_running()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"/file: File exists.*TP_DATA_DIR"):
        EmbeddedValkey(tmp_path / "file" / "valkey").ensure_running()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from trading_platform.errors import StoreUnavailable
from trading_platform.storage.embedded_valkey import EmbeddedValkey
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    EmbeddedValkey(Path(sys.argv[1])).ensure_running()
except StoreUnavailable as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "valkey")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"cannot use {tmp_path / 'valkey'}: File too large" in done.stdout, done.stderr
    assert not done.stderr


def test_the_folders_are_for_this_user_alone(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data" / "valkey")
    server.ensure_running()
    server.stop()
    assert [stat.S_IMODE(place.stat().st_mode) for place in (server.folder, tmp_path / "data")] == [0o700, 0o700]
