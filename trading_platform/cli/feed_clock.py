"""The clock of a recording when it is not simply the machine's: it stands, or it shows less than the journal does."""

import threading
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import orjson
import requests

from trading_platform.errors import FeedError
from trading_platform.market.clock import NS_PER_SECOND, Clock, ToldClock, from_ns
from trading_platform.ports import Timepiece

T = TypeVar("T")
_Said = dict[str, Any]

_ASK_SECONDS = 5.0


class HeldClock:
    """Stands where a simulated exchange holds its clock, and goes with it as soon as that runs.

    The exchange lets it run when a client subscribes, so each reading asks until then: no second is missed.
    """

    def __init__(self, standing: Clock, ask: Callable[[], Clock | None], report: Callable[[str], None]) -> None:
        self._standing, self._ask, self._report = standing, ask, report
        self._running: Clock | None = None
        self._guard = threading.Lock()
        report(f"the exchange holds its clock at {from_ns(standing.epoch_ns):%H:%M:%S} until somebody subscribes")

    @property
    def is_held(self) -> bool:
        """Return whether it stands."""
        return self._follow() is None

    @property
    def running(self) -> Clock | None:
        """Return the clock that it goes with, None while it was not seen to run."""
        return self._running

    @property
    def rate(self) -> float:
        """Return how many of its seconds pass in a real one, once it runs."""
        return self._standing.rate

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        running = self._follow()
        return self._standing.epoch_ns if running is None else running.now_ns()

    def today(self) -> date:
        """Return the calendar date in the exchanges' zone."""
        return from_ns(self.now_ns()).date()

    def real_seconds_until(self, target_ns: int) -> float:
        """Return how many real seconds pass until it shows `target_ns`; never negative."""
        return max(0.0, (target_ns - self.now_ns()) / NS_PER_SECOND / self.rate)

    def hear(self, told: bytes) -> None:
        """Go by what the exchange publishes, whatever a ping told."""

    def _follow(self) -> Clock | None:
        if self._running is None:
            with self._guard:
                if self._running is None and (found := self._look()) is not None:
                    self._report(f"the exchange lets its clock run, {found.rate:g} times as fast as ours")
                    self._running = found
        return self._running

    def _look(self) -> Clock | None:
        try:
            return self._ask()
        except FeedError:
            return None  # it stands all the same


def published_clock(url: str) -> Clock:
    """Return the clock of a simulated exchange on this machine; raise FeedError when it cannot be read or is held."""
    return _read(url, _running)


def exchange_clock(url: str, report: Callable[[str], None]) -> Timepiece:
    """Follow the time of a simulated exchange on this machine: what its sockets tell, or its clock, held or not.

    Raise FeedError when it cannot be read.
    """

    def follow(said: _Said) -> Timepiece:
        if said.get("told_on_sockets"):
            return ToldClock(int(said["now_ns"]), float(said["rate"]))
        if said.get("running") is False:
            standing = Clock(epoch_ns=int(said["epoch_ns"]), rate=float(said["rate"]), anchor_ns=0)
            return HeldClock(standing, lambda: _read(url, _if_running), report)
        return _running(said)

    return _read(url, follow)


def waits_for_us(clock: Timepiece) -> bool:
    """Return whether it may stand until we subscribe, so that we must not wait for a moment before we do."""
    return isinstance(clock, ToldClock) or (isinstance(clock, HeldClock) and clock.is_held)


def not_behind(clock: Timepiece, last_ns: int, report: Callable[[str], None]) -> Timepiece:
    """Return a clock that goes on from the journal's last record when the given one shows an earlier time."""
    behind_ns = last_ns - clock.now_ns()
    if behind_ns <= 0 or isinstance(clock, ToldClock):
        return clock
    if behind_ns >= NS_PER_SECOND:
        report(
            f"the machine's clock is {behind_ns / NS_PER_SECOND:.0f} s behind the journal: receive times go on from "
            "its last record; set the clock right and start the feed again"
        )
    return Clock.starting_at(last_ns, clock.rate)


def _running(said: _Said) -> Clock:
    return Clock(epoch_ns=int(said["epoch_ns"]), rate=float(said["rate"]), anchor_ns=int(said["anchor_ns"]))


def _if_running(said: _Said) -> Clock | None:
    return None if said.get("running") is False else _running(said)


def _read(url: str, understand: Callable[[_Said], T]) -> T:
    try:
        return understand(dict(orjson.loads(requests.get(url, timeout=_ASK_SECONDS).content)["data"]))
    except requests.RequestException as error:
        raise FeedError(f"{url} does not answer ({type(error).__name__}); start the exchange first") from None
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
        raise FeedError(f"{url} gives no running clock (epoch_ns, rate, anchor_ns); is it the exchange's?") from None
