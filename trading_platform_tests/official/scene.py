"""One exchange with both clients on it: the official KiteTicker on its socket 0, our feed on its socket 1."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.simulator.exchange.sent import BINARY, read_sent
from trading_platform.simulator.exchange.server import Options
from trading_platform.simulator.exchange.stream import Pace
from trading_platform_tests.official.our_feed import OurFeed, our_feed
from trading_platform_tests.simulator.exchange.offered import TOKENS, Running, running
from trading_platform_tests.simulator.exchange.official_process import OfficialTicker, official
from trading_platform_tests.simulator.made_bars import INDEX, START
from trading_platform_tests.streaming.recordings import wait_until

OFFICIAL, OURS = 0, 1
FULL = [token for token in TOKENS if token != INDEX]

AS_IN_ITS_EXAMPLE = [[0, "subscribe", [list(TOKENS)]], [0, "set_mode", ["full", FULL]]]
"""What the README of the official client does in on_connect: subscribe all, then full mode for most of them."""

LIVE = Options(at_second=START + 60, pace=Pace(packets_per_second=10))
"""The market at the speed of the clock: ten frames a second, each of every instrument."""


@dataclass
class Scene:
    exchange: Running
    official: OfficialTicker
    ours: OurFeed
    sent_folder: Path
    said: list[str] = field(default_factory=list)

    def fault(self, kind: str, socket: int | None = None, **facts: Any) -> int:
        """Order a fault; return the moment of it on the machine's monotonic clock."""
        body = {"kind": kind, **facts} | ({} if socket is None else {"socket": socket})
        answer = self.exchange.post("/simulator/faults", body)
        assert answer.ok, answer.text
        return elapsed_ns()

    def sockets(self) -> list[dict[str, Any]]:
        told: Any = self.exchange.get("/simulator/sent")
        return list(told["sockets"])

    def sent(self, socket: int) -> list[tuple[int, bytes]]:
        """Simulated time and body of each binary message sent on a socket."""
        self.sockets()  # after it everything is in the file
        entries = read_sent(self.sent_folder / f"socket-{socket}.sent")
        return [(at_ns, body) for kind, at_ns, body in entries if kind == BINARY]

    def wait(self, condition: Callable[[], bool]) -> None:
        def happened() -> bool:
            assert self.ours.thread.is_alive(), "our feed ended by itself; its trace stands above"
            return condition()

        wait_until(happened, 60.0)


@contextmanager
def scene(folder: Path, **official_options: float) -> Iterator[Scene]:
    """Connect both, and wait until both have seen ticks; `official_options` are those of its process."""
    options = Options(**{name: getattr(LIVE, name) for name in ("at_second", "pace")}, keep_sent=folder / "sent")
    said: list[str] = []
    with running(options) as exchange, official(exchange, AS_IN_ITS_EXAMPLE, **official_options) as ticker:
        ticker.wait("ticks")
        with our_feed(exchange, folder / "data", said.append) as feed:
            made = Scene(exchange, ticker, feed, folder / "sent", said)
            made.wait(lambda: len(feed.frames()) > 5)
            assert [one["open"] for one in made.sockets()] == [True, True]
            yield made


def seconds_between(begin_ns: int, end_ns: int) -> float:
    return (end_ns - begin_ns) / NS_PER_SECOND
