"""Which time it is for a shard: that of its feed, which may be simulated, or ordinary time."""

from dataclasses import dataclass
from datetime import timedelta

from trading_platform.health.findings import Finding, Level
from trading_platform.health.snapshots import FeedSnapshot, Observed, feed_clock
from trading_platform.market.clock import NS_PER_SECOND, Clock, from_ns

FEED_CLOCK_SECONDS = 3600.0
"""For so long the clock of a feed that fell silent is believed: a simulated market goes on without it."""

TOLD_SECONDS = 2.0
"""Time that is told by messages is believed to go on for so long without one."""

OFF_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TimeFacts:
    """The clock that ages are told by, the moment it is, whose clock it is, and how far it is off the wall clock."""

    clock: Clock
    now_ns: int
    source: str
    off_seconds: float

    @property
    def is_simulated(self) -> bool:
        """Tell whether this cannot be the time of the day."""
        wall_ns = self.now_ns - int(self.off_seconds * NS_PER_SECOND)
        another_day = from_ns(wall_ns).date() != from_ns(self.now_ns).date()
        return self.clock.rate != 1.0 or (another_day and abs(self.off_seconds) >= OFF_SECONDS)


def look_at_time(feed: Observed[FeedSnapshot], given: Clock | None = None) -> TimeFacts:
    """Choose the clock: one that is given, else the feed's, else the wall clock."""
    if given is not None:
        return _facts(given, given.now_ns(), "given")
    snapshot = feed.snapshot
    clock = None if snapshot is None or feed.age_seconds > FEED_CLOCK_SECONDS else feed_clock(snapshot)
    if snapshot is None or clock is None:
        wall = Clock.wall()
        return _facts(wall, wall.now_ns(), "wall")
    now_ns = clock.now_ns()
    if not snapshot.clock.steady:
        now_ns = min(now_ns, clock.epoch_ns + int(TOLD_SECONDS * clock.rate * NS_PER_SECOND))
    return _facts(clock, now_ns, "feed")


def check_clock(time: TimeFacts) -> Finding:
    """Say which clock counts, and whether it is that of the wall."""
    shown = f"{from_ns(time.now_ns):%Y-%m-%d %H:%M:%S}"
    figures = {"rate": time.clock.rate, "off_seconds": time.off_seconds, "simulated": int(time.is_simulated)}
    if time.is_simulated:
        says = f"simulated time: {shown}, at {time.clock.rate:g} times the real speed"
        return Finding("clock", Level.GREEN, says, None, figures)
    if abs(time.off_seconds) >= OFF_SECONDS:
        off = timedelta(seconds=round(abs(time.off_seconds), 1))
        side = "ahead of" if time.off_seconds > 0 else "behind"
        says = f"{shown} by the {time.source}'s clock, {off} {side} the wall clock"
        advice = "is the machine's time set by NTP? then restart the feed"
        return Finding("clock", Level.DEGRADED, says, advice, figures)
    return Finding("clock", Level.GREEN, f"{shown} by the {time.source}'s clock", None, figures)


def _facts(clock: Clock, now_ns: int, source: str) -> TimeFacts:
    return TimeFacts(clock, now_ns, source, (now_ns - Clock.wall().now_ns()) / NS_PER_SECOND)
