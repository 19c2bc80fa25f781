"""The exchange as one process: REST on one port of loopback, the websocket on another, until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from trading_platform.errors import ExchangeRefusal, SettingsError
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionTable
from trading_platform.simulator.bar_ticks import SessionBars
from trading_platform.simulator.exchange.accounts import Accounts, Credentials
from trading_platform.simulator.exchange.clock import ExchangeClock
from trading_platform.simulator.exchange.control import Control
from trading_platform.simulator.exchange.history import History, PastSession
from trading_platform.simulator.exchange.market import Market, Wall
from trading_platform.simulator.exchange.quotes import Quotes
from trading_platform.simulator.exchange.rest import Rest, not_found, refused
from trading_platform.simulator.exchange.sent import SentLedger
from trading_platform.simulator.exchange.sockets import Sockets
from trading_platform.simulator.exchange.stream import Pace
from trading_platform.simulator.player import CONNECTED_BEFORE_SECONDS
from trading_platform.wire.kite_encoder import encode_frame

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Offer:
    """The session that the exchange trades: instruments, bars, the dump as CSV by exchange, what was planted."""

    day: InstrumentDay
    bars: SessionBars
    opens: int
    dumps: Mapping[str, bytes]
    table: SessionTable
    yesterday_second: int
    planted: Sequence[Mapping[str, Any]] = ()
    walls: Sequence[Wall] = ()
    past: Sequence[date] = ()
    load_past: Callable[[date], PastSession] | None = None


@dataclass(frozen=True)
class Options:
    """How the exchange runs; port 0 lets the system choose one, `held` stops the clock until a client subscribes.

    The clock begins at `at_second`, else a minute before the first continuous trading.
    """

    port: int = 0
    websocket_port: int = 0
    speed: float = 1.0
    held: bool = False
    at_second: int | None = None
    credentials: Credentials = field(default_factory=Credentials)
    pace: Pace = field(default_factory=Pace)
    keep_sent: Path | None = None


@dataclass(frozen=True)
class Addresses:
    """Where clients find the exchange: `root=` of the official KiteConnect and KiteTicker."""

    rest: str
    websocket: str


class Exchange:
    """One simulated exchange; `run` serves until `stop`, or until a signal when it runs in the main thread."""

    def __init__(self, offer: Offer, options: Options) -> None:
        self._offer, self._options = offer, options
        self._rest_socket = _listen(options.port)
        self._websocket_socket = _listen(options.websocket_port)
        self.addresses = Addresses(
            f"http://{HOST}:{self._rest_socket.getsockname()[1]}",
            f"ws://{HOST}:{self._websocket_socket.getsockname()[1]}",
        )
        self._server: uvicorn.Server | None = None

    def run(self, ready: Callable[[Addresses], None]) -> None:
        """Serve; `ready` hears the addresses as soon as they answer."""
        with closing(self._rest_socket), closing(self._websocket_socket):
            asyncio.run(self._serve(ready))

    def stop(self) -> None:
        """End `run`, from any thread."""
        if self._server is not None:
            self._server.should_exit = True

    async def _serve(self, ready: Callable[[Addresses], None]) -> None:
        offer, options = self._offer, self._options
        market = Market(offer.bars, steady=options.pace.packets_per_second is not None, walls=offer.walls)
        # a client would take the time that a compiler needs for a socket that has gone silent
        encode_frame(market.rows(np.zeros(1, np.int64)))
        usual = min(offer.opens, market.first_second) - CONNECTED_BEFORE_SECONDS
        begin = usual if options.at_second is None else options.at_second
        clock = ExchangeClock(begin * NS_PER_SECOND, options.speed, held=options.held)
        accounts = Accounts(options.credentials, clock)
        ledger = SentLedger(options.keep_sent)
        sockets = Sockets(market, clock, accounts=accounts, pace=options.pace, ledger=ledger)
        rest = Rest(
            accounts,
            clock,
            quotes=Quotes(market, offer.day, offer.yesterday_second),
            history=History(market, offer.day, table=offer.table, past=offer.past, load=offer.load_past),
            dumps=offer.dumps,
        )
        session = {
            "session": offer.day.session.isoformat(),
            "first_bar": market.first_second,
            "end": market.end_second,
            "instruments": len(market.tokens),
            "told_on_sockets": options.pace.tells_time,
        }
        control = Control(
            sockets,
            clock,
            accounts=accounts,
            limits=rest.limits,
            upstream=rest.upstream,
            planted=offer.planted,
            session=session,
        )
        app = Starlette(
            routes=[*control.routes(), *rest.routes()],
            exception_handlers={ExchangeRefusal: refused, HTTPException: not_found},
        )
        await self._serve_both(app, sockets, ready)

    async def _serve_both(self, app: Starlette, sockets: Sockets, ready: Callable[[Addresses], None]) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        async with await sockets.serve_on(self._websocket_socket):
            serving = asyncio.ensure_future(self._server.serve(sockets=[self._rest_socket]))
            while not self._server.started and not serving.done():
                await asyncio.sleep(0)
            ready(self.addresses)
            await serving


def _listen(port: int) -> socket.socket:
    # asyncio sends small messages at once only on sockets that name TCP; else they wait 40 ms for an acknowledgement
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SettingsError(f"port {port} of {HOST} cannot be used: {error.strerror}; choose another") from None
    listener.listen()
    return listener
