"""The exchange of a torture: a process of its own, and a client that takes everything and is never killed."""

import multiprocessing
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import requests
import websocket

from trading_platform.simulator.exchange.sent import read_sent
from trading_platform.simulator.exchange.server import Addresses, Exchange, Offer, Options
from trading_platform_tests.torture.processes import KEYS, fork, log_to

_START_SECONDS = 180
_ASK_SECONDS = 60


@dataclass(frozen=True)
class Sent:
    """One message that a socket was sent, and when (simulated)."""

    is_text: bool
    at_ns: int
    body: bytes


class ExchangeProcess:
    """A running `Exchange`; what it sends on each socket stands in a file below `folder`."""

    def __init__(self, folder: Path, offer: Offer, options: Options) -> None:
        self._folder = folder / "sent"
        ours, theirs = multiprocessing.Pipe()
        self._process = fork(
            _serve, folder, replace(offer, load_past=None), replace(options, keep_sent=self._folder), theirs
        )
        if not ours.poll(_START_SECONDS):
            raise AssertionError(f"the exchange does not start: {(folder / 'exchange.log').read_text()}")
        self.addresses: Addresses = ours.recv()

    @property
    def clock_url(self) -> str:
        return f"{self.addresses.rest}/simulator/clock"

    def get(self, what: str) -> Any:
        answer = requests.get(f"{self.addresses.rest}/simulator/{what}", timeout=_ASK_SECONDS)
        return orjson.loads(answer.content)["data"]

    def post(self, what: str, body: Any) -> None:
        url = f"{self.addresses.rest}/simulator/{what}"
        requests.post(url, data=orjson.dumps(body), timeout=_ASK_SECONDS).raise_for_status()

    def silence(self) -> list[dict[str, Any]]:
        """Send nothing more on any socket; return what was sent until then."""
        self.post("faults", {"kind": "silence"})
        sockets: list[dict[str, Any]] = self.get("sent")["sockets"]
        return sockets

    def sent(self) -> list[list[Sent]]:
        """Return the messages of every socket that was ever open, in the order in which they were opened."""
        files = [self._folder / f"socket-{one['socket']}.sent" for one in self.get("sent")["sockets"]]
        return [[Sent(bool(kind), at_ns, body) for kind, at_ns, body in read_sent(file)] for file in files]

    def stop(self) -> None:
        self._process.kill()
        self._process.join(5)


class Witness:
    """Subscribes everything in full mode and reads on: its file says what a client gets that never dies."""

    def __init__(self, exchange: ExchangeProcess, tokens: list[int]) -> None:
        self._socket = websocket.WebSocket()
        url = f"{exchange.addresses.websocket}/?api_key={KEYS.api_key}&access_token={KEYS.access_token}"
        self._socket.connect(url, timeout=_ASK_SECONDS)
        self._socket.send(orjson.dumps({"a": "mode", "v": ["full", tokens]}).decode())
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with suppress(OSError):
            self._socket.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(5)

    def _read(self) -> None:
        with suppress(OSError, websocket.WebSocketException, AttributeError):  # it ends with the exchange
            while True:
                self._socket.recv_data()


def _serve(folder: Path, offer: Offer, options: Options, ready: Connection) -> None:
    log_to(folder / "exchange.log")
    Exchange(offer, options).run(ready.send)
