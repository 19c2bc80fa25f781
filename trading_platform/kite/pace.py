"""One pace for all processes of a machine that ask Kite for candles: three a second is the limit of the key."""

import fcntl
import os
from pathlib import Path

from trading_platform.errors import BrokerError
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause

HISTORICAL_SECONDS = 0.35
"""Between two requests for candles, whoever asks; Kite allows three in a second."""

_DIGITS = 20


class RequestPace:
    """Hands out turns to ask, `seconds` apart, to whoever has the same file; one who dies with a turn blocks nobody.

    The file holds the monotonic time of the last turn. A later one than now is of the time before the machine started.
    """

    def __init__(self, path: Path, seconds: float = HISTORICAL_SECONDS) -> None:
        self._path, self._apart_ns = path, int(seconds * NS_PER_SECOND)

    def wait(self) -> None:
        """Return when it is the caller's turn; raise BrokerError when the file cannot be used."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise BrokerError(
                f"{self._path} cannot be used ({error.strerror}), and without it Kite's limit cannot be kept: mend that"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._take(handle)
        finally:
            os.close(handle)

    def _take(self, handle: int) -> None:
        last = _number(os.pread(handle, _DIGITS, 0))
        now = elapsed_ns()
        if last is not None and now - self._apart_ns < last <= now:
            pause((last + self._apart_ns - now) / NS_PER_SECOND)
        os.pwrite(handle, f"{elapsed_ns():0{_DIGITS}d}".encode(), 0)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None
