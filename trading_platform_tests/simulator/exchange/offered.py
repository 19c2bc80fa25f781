"""A small market of made bars, and an exchange that trades it in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import orjson
import requests

from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.simulator.bar_ticks import SessionBars
from trading_platform.simulator.exchange.history import PastSession
from trading_platform.simulator.exchange.server import Addresses, Exchange, Offer, Options
from trading_platform_tests.simulator.made_bars import INDEX, OPTION, OTHER, START, STOCK, MadeBar, columns

SESSION, BEFORE = date(2016, 8, 16), date(2016, 8, 12)
MINUTES = 30
FUTURE, NEXT_FUTURE = 400 * 256 + 2, 401 * 256 + 2
TOKENS = (STOCK, OTHER, INDEX, OPTION, FUTURE, NEXT_FUTURE)
PREVIOUS_CLOSE = 101.5
DUMP_HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)


def instrument(
    token: int, symbol: str, kind: str = "EQ", segment: str = "NSE", expiry: date | None = None
) -> Instrument:
    exchange = "NFO" if segment.startswith("NFO") else "NSE"
    strike = 100.0 if kind == "CE" else 0.0
    return Instrument(token, token >> 8, symbol, "ALPHA", expiry, strike, 0.05, 1, kind, segment, exchange)


INSTRUMENTS = (
    instrument(STOCK, "ALPHA"),
    instrument(OTHER, "BETA"),
    instrument(INDEX, "INDEX 1", segment="INDICES"),
    instrument(OPTION, "ALPHA16AUG100CE", "CE", "NFO-OPT", date(2016, 8, 25)),
    instrument(FUTURE, "ALPHA16AUGFUT", "FUT", "NFO-FUT", date(2016, 8, 25)),
    instrument(NEXT_FUTURE, "ALPHA16SEPFUT", "FUT", "NFO-FUT", date(2016, 9, 29)),
)
DAY = InstrumentDay(SESSION, INSTRUMENTS)


def made(minutes: int = MINUTES, shift: int = 0) -> list[MadeBar]:
    """Rising and falling bars; the stock has none in its third minute."""
    bars = []
    for place, token in enumerate(TOKENS):
        for minute in range(minutes):
            base = 10_000 + 500 * place + 10 * minute + shift
            up = (minute + place) % 2
            words = (base, base + 25, base - 25, base + (10 if up else -10))
            if not (token == STOCK and minute == 2):
                bars.append(MadeBar(token, minute, words, 0 if token == INDEX else 100 + minute))
    return bars


def dump(instruments: tuple[Instrument, ...]) -> bytes:
    lines = [
        f"{i.token},{i.exchange_token},{i.tradingsymbol},{i.name},0.0,{i.expiry or ''},{i.strike},{i.tick_size},"
        f"{i.lot_size},{i.instrument_type},{i.segment},{i.exchange}"
        for i in instruments
    ]
    return "\n".join([DUMP_HEADER, *lines, ""]).encode()


def yesterday(bars: SessionBars) -> SessionBars:
    return replace(bars, start=bars.start - 4 * 86_400)


def offer(bars: SessionBars | None = None) -> Offer:
    return Offer(
        day=DAY,
        bars=columns(made(), previous_close=PREVIOUS_CLOSE) if bars is None else bars,
        opens=START,
        dumps={
            "": dump(INSTRUMENTS),
            "NFO": dump(tuple(i for i in INSTRUMENTS if i.exchange == "NFO")),
            "NSE": dump(tuple(i for i in INSTRUMENTS if i.exchange == "NSE")),
        },
        table=load_session_table(),
        yesterday_second=START - 4 * 86_400 + 22_499,
        planted=({"kind": "spike", "symbol": "ALPHA"},),
        past=(BEFORE,),
        load_past=lambda _: PastSession(InstrumentDay(BEFORE, INSTRUMENTS), yesterday(columns(made(shift=-1000)))),
    )


@dataclass(frozen=True)
class Running:
    exchange: Exchange
    addresses: Addresses

    def get(self, path: str) -> object:
        answer = requests.get(self.addresses.rest + path, timeout=5)
        return orjson.loads(answer.content)["data"]

    def post(self, path: str, body: object) -> requests.Response:
        return requests.post(self.addresses.rest + path, data=orjson.dumps(body), timeout=5)

    @property
    def socket_url(self) -> str:
        return f"{self.addresses.websocket}/?api_key=simulator&access_token=simulator-access&uid=1"


@contextmanager
def running(options: Options | None = None, offered: Offer | None = None) -> Iterator[Running]:
    exchange = Exchange(offered or offer(), options or Options())
    ready = threading.Event()
    thread = threading.Thread(target=exchange.run, args=(lambda _: ready.set(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield Running(exchange, exchange.addresses)
    finally:
        exchange.stop()
        thread.join(20)
        assert not thread.is_alive()
