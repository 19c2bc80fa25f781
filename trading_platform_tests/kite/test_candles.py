"""Candles as the simulated exchange gives them; what cannot be read is left out and counted, a refusal is named."""

import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from trading_platform.errors import AccessRefused, BrokerError, RequestRefused, SettingsError
from trading_platform.kite.candles import KiteCandles
from trading_platform.market.clock import IST
from trading_platform.wire.candle_block import Candle
from trading_platform_tests.simulator.exchange.offered import Options as ExchangeOptions
from trading_platform_tests.simulator.exchange.offered import Running, running
from trading_platform_tests.simulator.made_bars import START, STOCK

KEY, TOKEN = SecretStr("simulator"), SecretStr("simulator-access")


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running(ExchangeOptions(at_second=START + 600)) as found:
        yield found


def test_candles_are_those_of_the_exchange(exchange: Running) -> None:
    fetched = KiteCandles(KEY, lambda: TOKEN, exchange.addresses.rest).minute_candles(STOCK, START, START + 180)
    assert fetched.unreadable == 0
    assert fetched.candles == (
        Candle(STOCK, START, 100.0, 100.25, 99.75, 99.9, 100.0),
        Candle(STOCK, START + 60, 100.1, 100.35, 99.85, 100.2, 101.0),
    )


class Answers(BaseHTTPRequestHandler):
    """Answers as the test says, and keeps what was asked."""

    status = 200
    body: Any = None
    asked: list[tuple[str, str]] = []  # noqa: RUF012  # one for the one server

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        body = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def root(server: str) -> str:
    Answers.asked.clear()
    Answers.status, Answers.body = 200, {"status": "success", "data": {"candles": []}}
    return server


def given(*rows: Any) -> None:
    Answers.body = {"status": "success", "data": {"candles": list(rows)}}


def refused(status: int, kind: str) -> None:
    Answers.status = status
    Answers.body = {"status": "error", "message": f"told {kind}", "error_type": kind, "data": None}


def test_it_asks_in_the_words_of_kite(root: str) -> None:
    begin = int(datetime(2026, 7, 31, 9, 15, tzinfo=IST).timestamp())
    KiteCandles(KEY, lambda: TOKEN, root).minute_candles(408065, begin, begin + 600)
    ((path, header),) = Answers.asked
    assert path == (
        "/instruments/historical/408065/minute?from=2026-07-31+09%3A15%3A00&to=2026-07-31+09%3A24%3A59"
        "&interval=minute&continuous=0&oi=0"
    )
    assert header == "token simulator:simulator-access"


def test_what_cannot_be_read_is_left_out_and_the_rest_is_kept(root: str) -> None:
    good = ["2026-07-31T09:15:00+0530", 1, 2.5, 0.5, 2, 7]
    given(
        good,
        [*good, 99],
        good[:5],
        ["yesterday", *good[1:]],
        ["2026-07-31T09:15:00", *good[1:]],
        [5, *good[1:]],
        [*good[:5], "7"],
        [*good[:5], True],
        [*good[:5], None],
        "candle",
        None,
    )
    fetched = KiteCandles(KEY, lambda: TOKEN, root).minute_candles(5, 0, 60)
    start = int(datetime(2026, 7, 31, 9, 15, tzinfo=IST).timestamp())
    assert fetched.candles == (Candle(5, start, 1.0, 2.5, 0.5, 2.0, 7.0),) * 2
    assert fetched.unreadable == 9


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_is_none_is_not_read(root: str, number: str) -> None:
    row = f'["2026-07-31T09:15:00+0530",1,2,0.5,{number},7]'
    Answers.body = f'{{"status":"success","data":{{"candles":[{row}]}}}}'.encode()
    fetched = KiteCandles(KEY, lambda: TOKEN, root).minute_candles(5, 0, 60)
    assert (fetched.candles, fetched.unreadable) == ((), 1)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"7", b"not json", b'{"data":{"candles":5}}', b'{"data":[]}'])
def test_an_answer_that_is_none_is_named(root: str, body: bytes) -> None:
    Answers.body = body
    with pytest.raises(BrokerError, match=r"something else|Couldn't parse"):
        KiteCandles(KEY, lambda: TOKEN, root).minute_candles(5, 0, 60)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (403, "TokenException", AccessRefused),
        (403, "PermissionException", AccessRefused),
        (400, "InputException", RequestRefused),
        (429, "NetworkException", BrokerError),
        (500, "GeneralException", BrokerError),
        (500, "NobodyKnows", BrokerError),
    ],
)
def test_a_refusal_is_named(root: str, status: int, kind: str, error: type[BrokerError]) -> None:
    refused(status, kind)
    with pytest.raises(BrokerError, match=f"told {kind}") as found:
        KiteCandles(KEY, lambda: TOKEN, root).minute_candles(5, 0, 60)
    assert type(found.value) is error


def test_a_service_that_is_away_is_named() -> None:
    with pytest.raises(BrokerError, match="check the connection") as found:
        KiteCandles(KEY, lambda: TOKEN, "http://127.0.0.1:1").minute_candles(5, 0, 60)
    assert "simulator-access" not in str(found.value)


def test_a_refused_token_is_not_sent_again_but_another_one_is(root: str) -> None:
    tokens = [TOKEN]
    source = KiteCandles(KEY, lambda: tokens[-1], root)
    refused(403, "TokenException")
    for _ in range(3):
        with pytest.raises(AccessRefused, match="told TokenException"):
            source.minute_candles(5, 0, 60)
    assert len(Answers.asked) == 1
    Answers.status = 200
    given()
    tokens.append(SecretStr("other"))
    source.minute_candles(5, 0, 60)
    assert [header for _, header in Answers.asked] == ["token simulator:simulator-access", "token simulator:other"]


def test_a_refused_token_is_tried_again_after_a_while(root: str) -> None:
    source = KiteCandles(KEY, lambda: TOKEN, root, retry_seconds=0.0)
    refused(403, "TokenException")
    with pytest.raises(AccessRefused):
        source.minute_candles(5, 0, 60)
    Answers.status = 200
    given()
    source.minute_candles(5, 0, 60)
    assert len(Answers.asked) == 2


def test_without_a_token_nothing_is_asked(root: str) -> None:
    with pytest.raises(AccessRefused, match="trading-platform login"):
        KiteCandles(KEY, lambda: None, root).minute_candles(5, 0, 60)

    def broken() -> SecretStr:
        raise SettingsError("settings cannot be used")

    with pytest.raises(AccessRefused, match="settings cannot be used"):
        KiteCandles(KEY, broken, root).minute_candles(5, 0, 60)
    assert Answers.asked == []
