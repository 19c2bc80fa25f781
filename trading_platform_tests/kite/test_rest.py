"""The dump arrives as Kite sent it; refusals and lost connections are named. A local server stands for Kite."""

import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from trading_platform.errors import BrokerError
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import IST

DUMP = b"instrument_token,exchange_token\r\n408065,1594\r\n"
KEY, TOKEN = SecretStr("key"), SecretStr("token")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.path == "/instruments" and self.headers["Authorization"] == "token key:token"
        body = DUMP if good else b'{"status":"error","message":"Token is invalid","error_type":"TokenException"}'
        if self.path.startswith("/instruments/historical/7/"):
            body = b"[" * 100_000
        self.send_response(200 if good else 403)
        self.send_header("Content-Type", "text/csv" if good else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_dump_is_left_as_it_came(root: str) -> None:
    assert KiteRest(KEY, TOKEN, root=root).instruments_csv() == DUMP


def test_a_refusal_is_named(root: str) -> None:
    with pytest.raises(BrokerError, match="Token is invalid"):
        KiteRest(KEY, SecretStr("old"), root=root).instruments_csv()


def test_a_lost_connection_is_named() -> None:
    with pytest.raises(BrokerError, match="could not be asked"):
        KiteRest(KEY, TOKEN, root="http://127.0.0.1:1").instruments_csv()


def test_an_answer_that_is_nested_without_end_is_named(root: str) -> None:
    moment = datetime(2026, 7, 30, 10, 0, tzinfo=IST)
    with pytest.raises(BrokerError, match="something else"):
        KiteRest(KEY, TOKEN, root=root).minute_candles(7, moment, moment)


def test_without_credentials_nothing_is_asked() -> None:
    rest = KiteRest(None, None)
    assert not rest.has_credentials
    with pytest.raises(BrokerError, match="TP_KITE_API_KEY"):
        rest.instruments_csv()


def test_secrets_do_not_show() -> None:
    assert "s3cret" not in str(vars(KiteRest(KEY, SecretStr("s3cret"))))
