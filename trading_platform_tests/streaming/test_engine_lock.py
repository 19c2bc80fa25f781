import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trading_platform.errors import EngineIsRunning
from trading_platform.streaming.engine_lock import engine_lock

_HOLD = """
import sys, time
from pathlib import Path
from trading_platform.streaming.engine_lock import engine_lock
with engine_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_engine_is_refused_with_the_process_of_the_first_until_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "k1" / "20160817"
    command = [sys.executable, "-c", _HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(EngineIsRunning, match=f"process {first.pid} is"), engine_lock(folder):
            pass
        first.send_signal(signal.SIGKILL)
        first.wait()
    with engine_lock(folder):
        pass
    with engine_lock(folder), engine_lock(folder.with_name("20160818")):
        pass


def test_the_lock_is_for_this_user_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with engine_lock(tmp_path / "state" / "k1" / "20160817"):
            path = tmp_path / "state" / "k1" / "20160817.lock"
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == path.parent.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
