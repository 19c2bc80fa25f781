"""Runs the official KiteTicker beside a test, and holds what it says."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform_tests.simulator.exchange.offered import Running

CLIENT = Path(__file__).with_name("official_ticker.py")
ACCESS = "simulator-access"


@dataclass
class OfficialTicker:
    """The events of the process so far, in their order; `at_ns` is the machine's monotonic clock."""

    process: "subprocess.Popen[str]"
    events: list[dict[str, Any]] = field(default_factory=list)

    def of(self, event: str, since: int = 0) -> list[dict[str, Any]]:
        return [one for one in self.events[since:] if one["event"] == event]

    def ticks(self, since: int = 0) -> list[dict[str, Any]]:
        return [tick for event in self.of("ticks", since) for tick in event["ticks"]]

    def payloads(self, *, binary: bool = True) -> list[bytes]:
        return [bytes.fromhex(one["payload"]) for one in self.of("message") if one["binary"] is binary]

    def wait(self, event: str, count: int = 1, *, since: int = 0) -> dict[str, Any]:
        """Return the event that makes it so many, as soon as it is there."""
        self.wait_until(lambda: len(self.of(event, since)) >= count)
        return self.of(event, since)[count - 1]

    def wait_until(self, condition: Callable[[], bool], seconds: float = 180.0) -> None:
        begun = elapsed_ns()
        while not condition():
            assert elapsed_ns() - begun < seconds * NS_PER_SECOND, f"it did not happen; {self.events[-3:]}"
            assert self.process.poll() is None, "the client ended by itself"
            pause(0.01)


@contextmanager
def official(exchange: Running, calls: list[Any], *, token: str = ACCESS, **options: float) -> Iterator[OfficialTicker]:
    """Start a client that makes these calls whenever it connects; it is killed at the end."""
    plan = {"root": f"{exchange.addresses.websocket}/", "token": token, "calls": calls, **options}
    command = [sys.executable, str(CLIENT), json.dumps(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        ticker = OfficialTicker(process)
        listening = threading.Thread(target=_listen, args=(ticker,))
        listening.start()
        try:
            yield ticker
        finally:
            process.kill()
            listening.join()


def _listen(ticker: OfficialTicker) -> None:
    assert ticker.process.stdout is not None
    for line in ticker.process.stdout:
        if line.endswith("\n"):  # a kill can cut the last one
            ticker.events.append(json.loads(line))
