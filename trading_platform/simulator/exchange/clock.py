"""The exchange's own time: it starts where the session does, runs at any rate, and can wait for its first client."""

import asyncio

from trading_platform.errors import SettingsError
from trading_platform.market.clock import NS_PER_SECOND, Clock, pause_async

_TOO_SHORT_SECONDS = 0.0005
"""Below this a pause costs more time than it is meant to take."""

_LATE_SECONDS = 0.02
"""Who is later than this lets others go first: a socket that catches up must not starve the rest."""

_MOST_AHEAD_SECONDS = 0.25
"""How far, in real seconds, time may be ahead of a message that belongs to it, where it waits for messages."""


class ExchangeClock:
    """A `Clock` from `begin_ns` on; held, it stands there until `start`."""

    def __init__(self, begin_ns: int, rate: float = 1.0, *, held: bool = False) -> None:
        if not rate > 0.0:
            raise SettingsError(f"--speed {rate} must be more than zero")
        self._begin_ns, self._rate = begin_ns, rate
        self._clock: Clock | None = None
        self._started = asyncio.Event()
        if not held:
            self.start()

    @property
    def rate(self) -> float:
        """Return simulated seconds per real second."""
        return self._rate

    def start(self) -> None:
        """Let time run from its beginning; once it runs this changes nothing."""
        if self._clock is None:
            self._clock = Clock.starting_at(self._begin_ns, self._rate)
            self._started.set()

    def wait_for(self, due_ns: int) -> None:
        """Go back to about what is due now, when time has run on without it: sending takes longer than the rate allows.

        Only where nobody follows this clock by `published`.
        """
        latest_ns = due_ns + int(_MOST_AHEAD_SECONDS * self._rate * NS_PER_SECOND)
        if self._clock is not None and self._clock.now_ns() > latest_ns:
            self._clock = Clock.starting_at(latest_ns, self._rate)

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return self._begin_ns if self._clock is None else self._clock.now_ns()

    def now_second(self) -> int:
        """Return whole seconds since the epoch."""
        return self.now_ns() // NS_PER_SECOND

    async def until(self, target_ns: int) -> None:
        """Wait for a moment; one that has passed or is about to is not waited for."""
        await self._started.wait()
        seconds = (target_ns - self.now_ns()) / NS_PER_SECOND / self._rate
        if seconds > _TOO_SHORT_SECONDS or seconds < -_LATE_SECONDS:
            await pause_async(max(seconds, 0.0))

    def published(self) -> dict[str, int | float | bool]:
        """Return what another process on this machine needs to follow the same time.

        `anchor_ns` is the reading of the machine's monotonic clock at which this one showed `epoch_ns`.
        """
        anchor = {} if self._clock is None else {"anchor_ns": self._clock.anchor_ns}
        return {
            "epoch_ns": self._begin_ns if self._clock is None else self._clock.epoch_ns,
            "rate": self._rate,
            "running": self._clock is not None,
            "now_ns": self.now_ns(),
            **anchor,
        }
