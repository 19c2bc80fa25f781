"""Runs a plan in a process that kills itself at its n-th step: URL PASSWORD-FILE TARGET-SOCKET FOLDER ADDRESS N.

A step is anything sent to a server and anything synced to the disk; before odd ones, behind even ones. N = 0 lets it
end and prints how many steps there were.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from redis.connection import AbstractConnection

from trading_platform.market.clock import Clock
from trading_platform.migration.layouts import layout_named
from trading_platform.storage.migration import copies, reading, running
from trading_platform.storage.migration.context import Migration
from trading_platform.storage.migration.running import run_plan
from trading_platform.storage.migration.servers import LegacyServer
from trading_platform_tests.migration.legacy_databases import dump_of

AT_A_TIME = 60
LARGE_BYTES, PAGE_BYTES = 50_000, 20_000


def counted(real: Callable[..., Any], steps: list[int], last: int) -> Callable[..., Any]:
    def step(*arguments: Any, **options: Any) -> Any:
        steps[0] += 1
        if steps[0] == last and last % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **options)
        if steps[0] == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return step


def main() -> None:
    url, password, socket, folder, address, last = sys.argv[1:]
    steps = [0]
    os.fsync = counted(os.fsync, steps, int(last))
    AbstractConnection.send_packed_command = counted(  # type: ignore[method-assign]
        AbstractConnection.send_packed_command, steps, int(last)
    )
    for module in (reading, copies, running):
        module.LARGE_BYTES = LARGE_BYTES  # type: ignore[attr-defined]
    reading.PAGE_BYTES = PAGE_BYTES
    target = redis.Redis(unix_socket_path=socket)
    server = LegacyServer(url, Path(password))
    migration = Migration(server, target, address, layout_named("L4"), Path(folder), dump_of, Clock.wall())
    run_plan(migration, at_a_time=AT_A_TIME)
    sys.stdout.write(str(steps[0]))


if __name__ == "__main__":
    main()
