"""One websocket to Kite: connect, subscribe and mode in two messages, read, watch, and connect again."""

import socket as sockets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import orjson
import websocket
from pydantic import SecretStr

from trading_platform.errors import FeedError
from trading_platform.kite.key_gate import KeyGate
from trading_platform.kite.reconnect import Reconnect
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.ports import SocketListener, SocketStatus, Timepiece
from trading_platform.wire.journal_records import MAX_BODY

REFUSED_STATUS = frozenset({400, 401, 403})
"""HTTP answers to the upgrade that mean the token; 400 was seen for a malformed one."""


@dataclass(frozen=True, slots=True)
class TickerLimits:
    """Real seconds: to be connected, and without a payload before a socket counts as silent (heartbeats come each)."""

    connect_seconds: float = 5.0
    silence_seconds: float = 3.0


class Ending(StrEnum):
    """Why a connection ended, or was not made."""

    REFUSED = "refused"  # the token
    UNREACHABLE = "unreachable"
    LOST = "lost"
    SILENT = "silent"
    CLOSED = "closed"  # by Kite, with a close frame
    DAMAGED = "damaged"  # what came is no websocket
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class _End:
    ending: Ending
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.ending}: {self.detail}" if self.detail else str(self.ending)


class Ticker:
    """Keeps one socket of a key open in a thread of its own; the only one that ever connects it again."""

    def __init__(
        self,
        *,
        root: str,
        number: int,
        tokens: tuple[int, ...],
        gate: KeyGate,
        reconnect: Reconnect,
        listener: SocketListener,
        clock: Timepiece,
        report: Callable[[str], None],
        limits: TickerLimits | None = None,
        mode: str = "full",
    ) -> None:
        self._root, self._number, self._mode = root, number, mode
        self._gate, self._reconnect, self._listener = gate, reconnect, listener
        self._clock, self._report, self._limits = clock, report, limits or TickerLimits()
        self._tokens = tokens
        self._guard = threading.Lock()  # tokens, and whether they were sent
        self._subscribed = False
        self._socket: websocket.WebSocket | None = None
        self._alive_ns = 0  # when the present connection last gave a sign of life, 0 without one
        self._stopping = threading.Event()
        self._state = "new"
        self._last_end: str | None = None
        self._connects = self._messages = 0
        self._thread = threading.Thread(target=self._run, name=f"kite-socket-{number}", daemon=True)

    @property
    def status(self) -> SocketStatus:
        """Return what the socket is doing."""
        alive = self._alive_ns
        return SocketStatus(
            socket=self._number,
            state=self._state,
            tokens=len(self._tokens),
            connects=self._connects,
            failures=self._reconnect.failures,
            messages_sent=self._messages,
            quiet_seconds=(elapsed_ns() - alive) / NS_PER_SECOND if alive else None,
            last_ending=self._last_end,
        )

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def watch(self) -> None:
        """End a connection that is stuck within a message or the upgrade; raise FeedError for a dead thread."""
        if not self._thread.is_alive() and not self._stopping.is_set():
            raise FeedError(f"socket {self._number}: its thread ended by itself; its trace stands above, start again")
        limit = max(self._limits.silence_seconds, 0.0 if self._connected else self._limits.connect_seconds) + 1.0
        alive = self._alive_ns
        if alive and elapsed_ns() - alive > limit * NS_PER_SECOND:
            self._cut()

    def add(self, tokens: tuple[int, ...]) -> None:
        """Subscribe more tokens with two messages; a socket that is away does it with all others when it is back."""
        with self._guard:
            fresh = tuple(token for token in dict.fromkeys(tokens) if token not in set(self._tokens))
            self._tokens += fresh
            if fresh and self._subscribed and self._socket is not None:
                # recorded before it is asked for: no packet may come before its instrument is known
                self._listener.subscribed(self._number, self._tokens, self._clock.now_ns())
                with suppress(OSError, websocket.WebSocketException):  # the reading thread meets the same, and ends it
                    self._ask(self._socket, fresh)

    def remove(self, tokens: tuple[int, ...]) -> None:
        """Unsubscribe tokens with one message; a socket that is away leaves them out when it is back."""
        with self._guard:
            gone = [token for token in dict.fromkeys(tokens) if token in set(self._tokens)]
            self._tokens = tuple(token for token in self._tokens if token not in set(gone))
            if gone and self._subscribed and self._socket is not None:
                self._listener.subscribed(self._number, self._tokens, self._clock.now_ns())
                with suppress(OSError, websocket.WebSocketException):
                    self._send(self._socket, {"a": "unsubscribe", "v": gone})

    def stop(self) -> None:
        """Disconnect, and do not connect again."""
        self._stopping.set()
        held = self._socket
        if held is not None and self._connected:
            with suppress(OSError, websocket.WebSocketException):
                held.settimeout(0.2)
                held.send_close()
        self._cut()

    def join(self, seconds: float) -> bool:
        """Wait until the thread ended; return whether it did."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def _connected(self) -> bool:
        return self._state == "connected"

    def _run(self) -> None:
        while not self._stopping.is_set():
            token = self._gate.token()
            if token is None:
                self._state = "waiting for a token"
                self._stopping.wait(self._gate.poll_seconds)
                continue
            begun = elapsed_ns()
            connects = self._connects
            end = self._live(token)
            self._last_end = str(end)
            if end.ending in (Ending.REFUSED, Ending.STOPPED):
                continue
            up = (elapsed_ns() - begun) / NS_PER_SECOND if self._connects > connects else 0.0
            pause = self._reconnect.pause_after(up)
            self._state = "pausing"
            self._report(f"socket {self._number}: {end}; connecting again in {pause:.1f} s")
            self._stopping.wait(pause)
        self._state = "stopped"

    def _live(self, token: SecretStr) -> _End:
        """Connect, subscribe and read until the connection ends; say why it did."""
        self._state, self._alive_ns = "connecting", elapsed_ns()
        # a text that is no UTF-8 is recorded as it came
        held = self._socket = websocket.WebSocket(skip_utf8_validation=True)
        end = self._connect(held, token)
        if end is None:
            self._gate.accepted()
            self._connects += 1
            self._state, self._alive_ns = "connected", elapsed_ns()
            self._listener.connected(self._number, self._clock.now_ns())
            end = self._use(held)
            with self._guard:
                self._subscribed = False
            self._listener.disconnected(self._number, str(end), self._clock.now_ns())
        self._alive_ns, self._socket = 0, None
        held.shutdown()  # type: ignore[no-untyped-call]
        return end

    def _connect(self, held: websocket.WebSocket, token: SecretStr) -> _End | None:
        """Open the connection; return why it is not open. No text of an error is kept that could hold the token."""
        keys = {"api_key": self._gate.api_key.get_secret_value(), "access_token": token.get_secret_value()}
        try:
            held.connect(  # type: ignore[no-untyped-call]
                f"{self._root}?{urlencode(keys)}",
                timeout=self._limits.connect_seconds,
                header=["X-Kite-Version: 3"],
                redirect_limit=0,  # the token goes to nobody else
            )
            status = held.getstatus()
        except websocket.WebSocketBadStatusException as error:
            status = int(error.status_code or 0)  # None: an empty line stood where the status belongs
        except (websocket.WebSocketException, OSError, ValueError, IndexError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            stopped = self._stopping.is_set()
            return _End(Ending.STOPPED if stopped else Ending.UNREACHABLE, why or type(error).__name__)
        if status in REFUSED_STATUS:
            self._gate.refused(token, status)
            return _End(Ending.REFUSED, f"HTTP {status}")
        return None if status == 101 else _End(Ending.UNREACHABLE, f"HTTP {status}")

    def _use(self, held: websocket.WebSocket) -> _End:
        try:
            held.settimeout(self._limits.silence_seconds)
            with self._guard:
                self._ask(held, self._tokens)
                self._subscribed = True
                self._listener.subscribed(self._number, self._tokens, self._clock.now_ns())
            end = self._read(held)
        except websocket.WebSocketTimeoutException:
            end = _End(Ending.SILENT, f"no payload for {self._limits.silence_seconds:g} s, heartbeats should come")
        except (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException) as error:
            end = _End(Ending.DAMAGED, type(error).__name__)
        except (websocket.WebSocketException, OSError, ValueError) as error:
            end = _End(Ending.LOST, getattr(error, "strerror", None) or type(error).__name__)
            if self._is_silent():
                end = _End(Ending.SILENT, "stuck within one message")
        # once we have asked for the end, whatever comes is our doing: the server answers a close with a close
        return _End(Ending.STOPPED) if self._stopping.is_set() else end

    def _read(self, held: websocket.WebSocket) -> _End:
        while not self._stopping.is_set():
            opcode, frame = held.recv_data_frame(control_frame=True)
            received_ns = self._clock.now_ns()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return _End(Ending.CLOSED, f"code {int.from_bytes(frame.data[:2], 'big')}" if frame.data else "")
            if opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT):
                if len(frame.data) > MAX_BODY:
                    return _End(Ending.DAMAGED, f"a message of {len(frame.data)} bytes")
                self._alive_ns = elapsed_ns()
                hear = self._listener.payload if opcode == websocket.ABNF.OPCODE_BINARY else self._listener.text
                hear(self._number, bytes(frame.data), received_ns)
            elif opcode == websocket.ABNF.OPCODE_PING:
                self._clock.hear(frame.data)
            if self._is_silent():  # pings alone are no market data
                return _End(Ending.SILENT, f"only pings for {self._limits.silence_seconds:g} s")
        return _End(Ending.STOPPED)

    def _ask(self, held: websocket.WebSocket, tokens: tuple[int, ...]) -> None:
        """Subscribe, then set the mode: what a socket needs, and nothing more."""
        if tokens:
            self._send(held, {"a": "subscribe", "v": tokens})
            self._send(held, {"a": "mode", "v": [self._mode, tokens]})

    def _send(self, held: websocket.WebSocket, message: dict[str, Any]) -> None:
        held.send_text(orjson.dumps(message).decode())
        self._messages += 1

    def _is_silent(self) -> bool:
        return elapsed_ns() - self._alive_ns > self._limits.silence_seconds * NS_PER_SECOND

    def _cut(self) -> None:
        """Wake the reading thread: its next read fails."""
        held = self._socket
        raw = held.sock if held is not None else None
        if raw is not None:
            with suppress(OSError):
                raw.shutdown(sockets.SHUT_RDWR)
