"""The websocket side: who may connect, what clients ask for, heartbeats, and the faults on the way out."""

import asyncio
import socket as tcp
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.clock import as_told, pause_async
from trading_platform.simulator.exchange.accounts import MAX_SOCKETS, Accounts
from trading_platform.simulator.exchange.clock import ExchangeClock
from trading_platform.simulator.exchange.faults import Fault, FaultKind, SocketFaults
from trading_platform.simulator.exchange.market import Market
from trading_platform.simulator.exchange.sent import SentLedger, SentOnSocket
from trading_platform.simulator.exchange.stream import Pace, Stream
from trading_platform.simulator.exchange.subscriptions import Subscriptions
from trading_platform.wire.kite_packets import HEARTBEAT

MOST_MESSAGE_BYTES = 1 << 20
_SHORTEST_HEARTBEAT_SECONDS = 0.01
_LONGEST_HEARTBEAT_SECONDS = 1.0


class Socket:
    """One open websocket."""

    def __init__(
        self,
        connection: ServerConnection,
        stream: Stream,
        *,
        sent: SentOnSocket,
        clock: ExchangeClock,
        tells_time: bool,
    ) -> None:
        self._connection, self._stream, self._clock = connection, stream, clock
        self._tells_time, self._told_ns = tells_time, 0
        self._lock = asyncio.Lock()
        self._sent_anything = False
        self.sent = sent
        self.faults = SocketFaults(Counter())

    async def send_frames(self) -> None:
        """Send what the stream gives, when it gives it."""
        async for frame in self._stream.frames():
            await self.send_frame(frame, self._stream.due_ns)
            self.sent.lag_ns = self._clock.now_ns() - self._stream.due_ns
            if self._tells_time:
                self._clock.wait_for(self._stream.due_ns)

    async def send_heartbeats(self) -> None:
        """Send one byte whenever nothing was sent for a second of the client or of the exchange, the shorter one."""
        rate = self._clock.rate
        seconds = max(_SHORTEST_HEARTBEAT_SECONDS, min(_LONGEST_HEARTBEAT_SECONDS, 1.0 / rate))
        while True:
            self._sent_anything = False
            await pause_async(seconds)
            if not self._sent_anything and not self.faults.is_stalled():
                await self._send(HEARTBEAT)

    async def send_frame(self, frame: bytes, at_ns: int | None = None) -> None:
        """Send a data frame, or what the faults make of it; it belongs to `at_ns`, or to now."""
        for payload in self.faults.shape(frame):
            await self._send(payload, at_ns)

    async def send_text(self, kind: str, data: object) -> None:
        """Send a text message."""
        message = orjson.dumps({"type": kind, "data": data})
        async with self._lock:
            if self.faults.is_silent():
                return
            self.sent.text(message, self._clock.now_ns())
            self._sent_anything = True
            await self._connection.send(message, text=True)

    def abort(self) -> None:
        """Cut the TCP connection without a goodbye."""
        self.faults.counts[FaultKind.DROP] += 1
        self._connection.transport.abort()

    async def _send(self, payload: bytes, at_ns: int | None = None) -> None:
        async with self._lock:
            while (seconds := self.faults.delay_seconds(len(payload))) > 0.0:
                await pause_async(seconds)
                if not self.faults.is_stalled():
                    break
            if self.faults.is_silent() or self._connection.state is not State.OPEN:
                return
            self.sent.binary(payload, self._clock.now_ns())
            self._sent_anything = True
            if self._tells_time:
                # what comes between frames is not later than the frame that is still to come
                await self._tell(min(self._clock.now_ns(), self._stream.due_ns) if at_ns is None else at_ns)
            await self._connection.send(payload)

    async def _tell(self, at_ns: int) -> None:
        if at_ns > self._told_ns:
            self._told_ns = at_ns
            await self._connection.ping(as_told(at_ns))


class Sockets:
    """All websockets of the exchange."""

    def __init__(
        self, market: Market, clock: ExchangeClock, *, accounts: Accounts, pace: Pace, ledger: SentLedger
    ) -> None:
        self._market, self._clock, self._accounts, self._pace = market, clock, accounts, pace
        self.ledger = ledger
        self.open: dict[int, Socket] = {}
        self.counts: Counter[str] = Counter()

    def add_fault(self, fault: Fault) -> int:
        """Bring a fault over the sockets that it names; return how many those are."""
        if fault.kind is FaultKind.REFUSE_TOKEN:
            self.counts[fault.kind] += 1
            self._accounts.refuse_tokens(fault.until_ns)
            return 0
        chosen = [one for number, one in self.open.items() if fault.socket in {None, number}]
        for socket in chosen:
            if fault.kind is FaultKind.DROP:
                socket.abort()
            else:
                socket.faults.add(fault)
        return len(chosen)

    def clear_faults(self) -> None:
        """End all faults."""
        self._accounts.refuse_tokens(0)
        for socket in self.open.values():
            socket.faults.clear()

    def fault_counts(self) -> dict[str, int]:
        """Return how often each fault happened, on all sockets ever open."""
        counts = sum((one.faults.counts for one in self.open.values()), self.counts.copy())
        return {str(kind): count for kind, count in counts.items() if count}

    async def serve_on(self, listener: tcp.socket) -> Server:
        """Start to accept connections."""
        return await serve(
            self._handle,
            sock=listener,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            max_size=MOST_MESSAGE_BYTES,
            close_timeout=1,
            server_header=None,
        )

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a client that has no valid token or holds its sockets already."""
        query = parse_qs(urlsplit(request.path).query)
        api_key, token = query.get("api_key", [""])[0], query.get("access_token", [""])[0]
        try:
            self._accounts.authorize(api_key, token)
        except ExchangeRefusal as refusal:
            self.counts["refused_token_on_upgrade"] += 1
            return connection.respond(HTTPStatus.FORBIDDEN, f"{refusal}\n")
        if len(self.open) >= MAX_SOCKETS:
            self.counts["refused_socket_beyond_limit"] += 1
            return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, f"more than {MAX_SOCKETS} connections\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        if len(self.open) >= MAX_SOCKETS:
            await connection.close(1008, f"more than {MAX_SOCKETS} connections")
            return
        subscriptions = Subscriptions()
        stream = Stream(self._market, self._clock, self._pace, subscriptions)
        sent = self.ledger.open(self._accounts.credentials.api_key)
        socket = Socket(connection, stream, sent=sent, clock=self._clock, tells_time=self._pace.tells_time)
        self.open[sent.number] = socket
        tasks = [asyncio.create_task(socket.send_frames()), asyncio.create_task(socket.send_heartbeats())]
        try:
            with suppress(ConnectionClosed):
                async for message in connection:
                    await self._take(message, socket, stream, subscriptions=subscriptions)
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                self._note(outcome)
            del self.open[sent.number]
            self.counts.update(socket.faults.counts)
            sent.close()

    async def _take(
        self, message: str | bytes, socket: Socket, stream: Stream, *, subscriptions: Subscriptions
    ) -> None:
        change = subscriptions.apply(message)
        socket.sent.asks(change.asked)
        stream.subscriptions_changed()
        if change.error is not None:
            await socket.send_text("error", change.error)
        if change.tokens:
            self._clock.start()
            for frame in stream.last_ticks(change.tokens):
                await socket.send_frame(frame)

    @staticmethod
    def _note(outcome: object) -> None:
        """Raise what ended a task unless the connection or we did."""
        if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
            raise outcome
