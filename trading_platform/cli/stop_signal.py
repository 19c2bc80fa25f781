"""A service that is asked to stop ends where it loses nothing."""

import signal
from types import FrameType

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause

_POLL_SECONDS = 0.05


class Stop:
    """Turns SIGTERM and SIGINT into a question that loops ask; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def wait(self, seconds: float) -> None:
        """Sleep, but not longer than until the question is answered with yes."""
        until = elapsed_ns() + int(seconds * NS_PER_SECOND)
        while not self.asked and elapsed_ns() < until:
            pause(_POLL_SECONDS)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = True
        # nothing is lost by it: an engine may be killed at any place
        signal.signal(number, signal.SIG_DFL)
