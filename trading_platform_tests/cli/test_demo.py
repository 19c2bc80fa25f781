"""What the demo refuses, and how it finds ports; its market and its account have tests of their own."""

import socket
import subprocess
import sys
from pathlib import Path

from trading_platform.cli.demo import _free_port, _listens


def test_a_folder_of_somebody_else_is_never_emptied(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    done = subprocess.run(
        [sys.executable, "-m", "trading_platform", "demo", "--once", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "would empty it" in done.stderr
    assert precious.read_text() == "keep me"


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert _listens(taken)
        assert _free_port(taken) != taken
    assert _free_port(taken) == taken
