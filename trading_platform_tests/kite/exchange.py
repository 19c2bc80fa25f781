"""A small server that speaks Kite's websocket protocol and numbers its frames; it can be told to misbehave."""

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause

HEARTBEAT = b"\x00"
GOOD_TOKEN, OTHER_TOKEN = "secret-token", "secret-other"


def numbered_frame(token: int, number: int) -> bytes:
    """One packet in ltp mode; the number stands where the price does."""
    return struct.pack(">HHII", 1, 8, token, number)


def number_in(payload: bytes) -> int:
    return int(struct.unpack(">HHII", payload)[3])


@dataclass
class Client:
    """One accepted connection, what it asked for and what was sent to it."""

    connection: ServerConnection
    query: dict[str, list[str]]
    messages: list[Any] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    silent: bool = False


class Exchange:
    """Counts frames up all the time; each goes to whoever is subscribed then."""

    def __init__(self, *, frame_seconds: float = 0.01, heartbeat_seconds: float = 0.05) -> None:
        self.clients: list[Client] = []
        self.attempts: list[tuple[float, str]] = []  # (monotonic seconds, access token)
        self.status: int | None = None  # what an upgrade is refused with
        self.redirect: str | None = None
        self.good_token = GOOD_TOKEN
        self.number = 0
        self.paused = self.fair = False
        self.frame_seconds, self._heartbeat_ns = frame_seconds, int(heartbeat_seconds * NS_PER_SECOND)
        self._server: Server | None = None
        self._stopping = threading.Event()

    @property
    def root(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    @property
    def sent(self) -> list[int]:
        return [number for client in self.clients for number in client.sent]

    def send_all(self, payload: bytes | str) -> None:
        for client in self.clients:
            _send(client, payload)

    def drop_all(self) -> None:
        """Cut the connections without a word."""
        for client in self.clients:
            client.connection.socket.close()

    def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        client = Client(connection, parse_qs(urlsplit(connection.request.path).query))
        self.clients.append(client)
        try:
            for message in connection:
                parsed = orjson.loads(message)
                client.messages.append(parsed)
                if parsed["a"] == "subscribe":
                    client.tokens += parsed["v"]
                elif parsed["a"] == "unsubscribe":
                    client.tokens = [token for token in client.tokens if token not in parsed["v"]]
        except ConnectionClosed:
            pass

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        token = parse_qs(urlsplit(request.path).query).get("access_token", [""])[0]
        self.attempts.append((elapsed_ns() / NS_PER_SECOND, token))
        if self.status is not None:
            return connection.respond(HTTPStatus(self.status), "refused\n")
        if self.redirect is not None:
            answer = connection.respond(HTTPStatus.FOUND, "elsewhere\n")
            answer.headers["Location"] = self.redirect
            return answer
        if token != self.good_token:
            return connection.respond(HTTPStatus.FORBIDDEN, f"bad token {token}\n")
        return None

    def _run_market(self) -> None:
        beaten = 0
        while not self._stopping.wait(self.frame_seconds):
            beat = elapsed_ns() - beaten >= self._heartbeat_ns
            beaten = elapsed_ns() if beat else beaten
            self.number += not self.paused
            for client in list(self.clients):
                if client.silent:
                    continue
                if client.tokens and not self.paused:
                    if _send(client, numbered_frame(self._token_for(client), self.number)):
                        client.sent.append(self.number)
                elif beat:
                    _send(client, HEARTBEAT)

    def _token_for(self, client: Client) -> int:
        return client.tokens[self.number % len(client.tokens) if self.fair else 0]


def _send(client: Client, payload: bytes | str) -> bool:
    try:
        client.connection.send(payload)
    except (ConnectionClosed, OSError):
        return False
    return True


@contextmanager
def running_exchange(**options: Any) -> Iterator[Exchange]:
    exchange = Exchange(**options)
    with serve(exchange._handle, "127.0.0.1", 0, process_request=exchange._admit, compression=None) as server:
        exchange._server = server
        threads = [threading.Thread(target=work, daemon=True) for work in (server.serve_forever, exchange._run_market)]
        for thread in threads:
            thread.start()
        try:
            yield exchange
        finally:
            exchange._stopping.set()
            exchange.drop_all()


def wait_until(condition: Any, limit_seconds: float = 20.0) -> None:
    begun = elapsed_ns()
    while not condition():
        assert elapsed_ns() - begun < limit_seconds * NS_PER_SECOND, "it did not happen"
        pause(0.005)
