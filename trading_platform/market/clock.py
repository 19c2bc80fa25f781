"""The one place that knows what time it is and in which zone the exchanges live."""

import asyncio
import threading
import time
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")
NS_PER_SECOND = 1_000_000_000
_DAY_NS = 86_400 * NS_PER_SECOND
_TOLD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Clock:
    """Time that runs `rate` times as fast as the machine's since `epoch_ns`; rate 1 from now is ordinary time.

    All values are nanoseconds since 1970-01-01 UTC. The machine's monotonic clock drives it, so that a step of the
    wall clock (NTP, a hand on the dial) never moves it.
    """

    epoch_ns: int
    rate: float
    anchor_ns: int

    @classmethod
    def wall(cls) -> "Clock":
        """Follow ordinary time from the wall clock's present reading."""
        return cls.starting_at(time.time_ns())

    @classmethod
    def starting_at(cls, epoch_ns: int, rate: float = 1.0) -> "Clock":
        """Start a clock that shows `epoch_ns` now."""
        return cls(epoch_ns=epoch_ns, rate=rate, anchor_ns=time.monotonic_ns())

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return self.epoch_ns + int((time.monotonic_ns() - self.anchor_ns) * self.rate)

    def now(self) -> datetime:
        """Return the time in the exchanges' zone."""
        return from_ns(self.now_ns())

    def today(self) -> date:
        """Return the calendar date in the exchanges' zone."""
        return self.now().date()

    def monotonic_ns(self, moment_ns: int) -> int:
        """Return what the machine's monotonic clock showed, or will show, at a moment of this clock."""
        return self.anchor_ns + int((moment_ns - self.epoch_ns) / self.rate)

    def real_seconds_since(self, moment_ns: int) -> float:
        """Return how many real seconds ago this clock showed `moment_ns`; negative when it is yet to come."""
        return (time.monotonic_ns() - self.monotonic_ns(moment_ns)) / NS_PER_SECOND

    def real_seconds_until(self, target_ns: int) -> float:
        """Return how many real seconds pass until this clock shows `target_ns`; never negative."""
        return max(0.0, (target_ns - self.now_ns()) / NS_PER_SECOND / self.rate)

    def hear(self, told: bytes) -> None:
        """Go on by itself, whatever a ping told."""


class ToldClock:
    """Simulated time as the exchange tells it on its sockets; it stands still between two messages.

    A clock that runs by itself far above real speed makes market minutes of every pause of the machine, and packets
    late that are not.
    """

    def __init__(self, begin_ns: int, rate: float) -> None:
        self.rate = rate
        self._begin_ns = self._now_ns = begin_ns
        self._guard = threading.Lock()

    def hear(self, told: bytes) -> None:
        """Go on to the moment that a ping told; pass over what is none, lies behind, or is not of this day."""
        at_ns = int.from_bytes(told, "big")
        with self._guard:
            if len(told) == _TOLD_BYTES and self._now_ns < at_ns < self._begin_ns + _DAY_NS:
                self._now_ns = at_ns

    def now_ns(self) -> int:
        """Return the moment that was told last, nanoseconds since the epoch."""
        return self._now_ns

    def today(self) -> date:
        """Return the calendar date in the exchanges' zone."""
        return from_ns(self._now_ns).date()

    def real_seconds_until(self, target_ns: int) -> float:
        """Return how many real seconds pass until `target_ns` is told when all keeps to the rate; never negative."""
        return max(0.0, (target_ns - self._now_ns) / NS_PER_SECOND / self.rate)


def as_told(at_ns: int) -> bytes:
    """Write a moment as the ping carries it from which a `ToldClock` hears it."""
    return at_ns.to_bytes(_TOLD_BYTES, "big")


def elapsed_ns() -> int:
    """Read the machine's monotonic clock, for durations only (nanoseconds)."""
    return time.monotonic_ns()


def pause(seconds: float) -> None:
    """Sleep in real time."""
    time.sleep(seconds)


def to_ns(moment: datetime) -> int:
    """Convert an aware datetime to nanoseconds since the epoch, exactly."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no zone; attach market.clock.IST first")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * NS_PER_SECOND + moment.microsecond * 1000


def from_ns(moment_ns: int) -> datetime:
    """Convert nanoseconds since the epoch to an aware datetime in the exchanges' zone (microseconds, cut)."""
    seconds, rest = divmod(moment_ns, NS_PER_SECOND)
    return datetime.fromtimestamp(seconds, IST).replace(microsecond=rest // 1000)


async def pause_async(seconds: float) -> None:
    """Let other tasks of the event loop run for so long, in real time."""
    await asyncio.sleep(seconds)
