"""When a lost socket may be opened again: exponential pauses with jitter, within limits. No I/O, no clock."""

from dataclasses import dataclass
from typing import Protocol


class Draws(Protocol):
    """Where jitter comes from; a seeded generator of numpy fits."""

    def random(self) -> float:
        """Return a number in [0, 1)."""


@dataclass(frozen=True, slots=True)
class ReconnectLimits:
    """Pauses in real seconds: the first, how fast they grow, the longest; each is shortened by up to `jitter` of it.

    A socket that stayed up for `settled_seconds` starts again with the first pause; one that is accepted and dropped
    at once does not, so that it cannot make a storm.
    """

    first_seconds: float = 1.0
    growth: float = 2.0
    longest_seconds: float = 30.0
    jitter: float = 0.5
    settled_seconds: float = 10.0


class Reconnect:
    """The pauses of one socket, one after the other."""

    def __init__(self, limits: ReconnectLimits, draws: Draws) -> None:
        self._limits, self._draws = limits, draws
        self._failures = 0

    @property
    def failures(self) -> int:
        """Return how many times in a row the socket ended before it had settled."""
        return self._failures

    def pause_after(self, up_seconds: float) -> float:
        """Return the pause after a connection that was up for `up_seconds` (0: it never was)."""
        limits = self._limits
        if up_seconds >= limits.settled_seconds:
            self._failures = 0
        whole = min(limits.longest_seconds, limits.first_seconds * limits.growth ** min(self._failures, 64))
        self._failures += 1
        return whole * (1.0 - limits.jitter * self._draws.random())
