"""The embedded Valkey as a supervised process: `python -m trading_platform.supervision.valkey_process FOLDER`.

Where one runs already, because a command needed it before, this process watches over it and ends when it ends.
"""

import signal
import sys
from pathlib import Path
from types import FrameType

from trading_platform.market.clock import pause
from trading_platform.storage.embedded_valkey import EmbeddedValkey

_POLL_SECONDS = 0.2


class _Asked(BaseException):
    """Somebody asked us to end."""


def main(arguments: list[str]) -> int:
    """Become the server of the folder, or look after the one that runs; return 1 when that ended by itself."""
    server = EmbeddedValkey(Path(arguments[0]))

    def ask(_number: int, _frame: FrameType | None) -> None:
        raise _Asked

    running = server.become_server()
    try:
        signal.signal(signal.SIGTERM, ask)
        sys.stderr.write(f"valkey: process {running} serves this folder already; watching it\n")
        while server.socket_in_use() is not None:
            pause(_POLL_SECONDS)
    except _Asked:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.stop()
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
