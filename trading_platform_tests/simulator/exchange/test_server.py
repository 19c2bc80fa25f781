"""The official KiteConnect against the exchange."""

import socket
import time
from datetime import date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException, NetworkException, TokenException

from trading_platform.errors import SettingsError
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.simulator.exchange.server import Options
from trading_platform_tests.simulator.exchange.offered import INSTRUMENTS, Running, offer, running
from trading_platform_tests.simulator.made_bars import START, STOCK

AT_TEN_PAST = START + 600


@pytest.fixture(scope="module")
def exchange() -> "Running":
    with running(Options(at_second=AT_TEN_PAST, speed=1.0)) as found:
        yield found


def client(exchange: Running, token: str | None = None) -> KiteConnect:
    return KiteConnect(
        "simulator", access_token="simulator-access" if token is None else token, root=exchange.addresses.rest
    )


def test_a_login_gives_a_token_that_works() -> None:
    with running(Options(at_second=AT_TEN_PAST)) as exchange:
        kite = client(exchange, "")
        session = kite.generate_session("simulator-request", "simulator-secret")
        assert session["api_key"] == "simulator"
        assert session["login_time"].date() == date(2016, 8, 16)
        assert kite.profile()["user_id"] == session["user_id"]
        assert kite.profile()["exchanges"] == ["NFO", "NSE"]
        with pytest.raises(TokenException):
            client(exchange).profile()
        assert kite.invalidate_access_token() is True
        with pytest.raises(TokenException):
            kite.profile()
        with pytest.raises(TokenException, match="checksum"):
            kite.generate_session("simulator-request", "wrong")


def test_the_login_page_hands_out_a_request_token(exchange: Running) -> None:
    answer = requests.get(
        f"{exchange.addresses.rest}/connect/login?v=3&api_key=simulator", allow_redirects=False, timeout=5
    )
    given = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.status_code == 302
    assert given["status"] == ["success"]
    assert len(given["request_token"][0]) == 32


def test_a_wrong_token_is_a_token_exception_with_403(exchange: Running) -> None:
    with pytest.raises(TokenException) as error:
        client(exchange, "wrong").profile()
    assert error.value.code == 403
    answer = requests.get(f"{exchange.addresses.rest}/user/profile", timeout=5)
    assert (answer.status_code, answer.json()["error_type"], answer.json()["status"]) == (
        403,
        "TokenException",
        "error",
    )


def test_a_token_dies_at_six_on_the_simulated_clock() -> None:
    with running(Options(speed=40_000.0)) as exchange:
        kite = client(exchange)
        kite.profile()
        time.sleep(2.5)
        with pytest.raises(TokenException):
            kite.profile()


def test_instruments_come_as_gzipped_csv(exchange: Running) -> None:
    found = client(exchange).instruments()
    assert [row["instrument_token"] for row in found] == [one.token for one in INSTRUMENTS]
    assert found[3]["expiry"] == date(2016, 8, 25)
    assert [row["tradingsymbol"] for row in client(exchange).instruments("NSE")] == ["ALPHA", "BETA", "INDEX 1"]
    answer = requests.get(
        f"{exchange.addresses.rest}/instruments",
        headers={"Authorization": "token simulator:simulator-access"},
        timeout=5,
    )
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/csv"  # kiteconnectjs compares all of it
    with pytest.raises(InputException):
        client(exchange).instruments("MOON")


def paced(call: object) -> object:
    """Ask at a moment that has the second's one quote left."""
    for _ in range(3):
        try:
            return call()  # type: ignore[operator]
        except NetworkException:
            time.sleep(1.05)
    raise AssertionError("always refused")


def test_quotes_tell_the_market_and_leave_unknown_names_out(exchange: Running) -> None:
    kite = client(exchange)
    full = paced(lambda: kite.quote("NSE:ALPHA", "NSE:INDEX 1", "NSE:NOBODY", str(STOCK)))
    assert set(full) == {"NSE:ALPHA", "NSE:INDEX 1", str(STOCK)}
    alpha = full["NSE:ALPHA"]
    assert alpha["instrument_token"] == STOCK
    assert 100.0 < alpha["last_price"] < 102.0
    assert alpha["ohlc"]["close"] == 101.5
    assert alpha["timestamp"].date() == date(2016, 8, 16)
    assert len(alpha["depth"]["buy"]) == len(alpha["depth"]["sell"]) == 5
    ltp = paced(lambda: kite.ltp(["NSE:ALPHA", "NSE:NOBODY"]))
    assert set(ltp) == {"NSE:ALPHA"}
    assert set(ltp["NSE:ALPHA"]) == {"instrument_token", "last_price"}
    ohlc = paced(lambda: kite.ohlc("NSE:INDEX 1"))
    assert set(ohlc["NSE:INDEX 1"]["ohlc"]) == {"open", "high", "low", "close"}


def test_too_many_names_are_an_input_exception(exchange: Running) -> None:
    kite = client(exchange)
    with pytest.raises(InputException) as error:
        paced(lambda: kite.quote([f"NSE:N{number}" for number in range(501)]))
    assert error.value.code == 400
    assert paced(lambda: kite.ltp([f"NSE:N{number}" for number in range(1000)])) == {}
    with pytest.raises(InputException):
        paced(lambda: kite.ltp([f"NSE:N{number}" for number in range(1001)]))


def test_more_than_the_published_rate_is_a_network_exception_with_429(exchange: Running) -> None:
    kite = client(exchange)
    with pytest.raises(NetworkException) as error:
        for _ in range(4):
            kite.ltp("NSE:ALPHA")
    assert error.value.code == 429
    assert exchange.get("/simulator/sent")["refused_requests"]["quote"] >= 1


def test_historical_candles_are_those_of_the_market(exchange: Running) -> None:
    kite = client(exchange)
    candles = kite.historical_data(STOCK, "2016-08-16 09:15:00", "2016-08-16 09:17:59", "minute", oi=True)
    assert [
        (c["date"].isoformat(), c["open"], c["high"], c["low"], c["close"], c["volume"], c["oi"]) for c in candles
    ] == [
        ("2016-08-16T09:15:00+05:30", 100.0, 100.25, 99.75, 99.9, 100, 0),
        ("2016-08-16T09:16:00+05:30", 100.1, 100.35, 99.85, 100.2, 101, 0),
    ]
    with pytest.raises(InputException, match="60 days"):
        kite.historical_data(STOCK, datetime(2016, 1, 1), datetime(2016, 8, 16), "minute")


def test_what_is_not_there_is_answered_in_the_same_envelope(exchange: Running) -> None:
    for answer in (
        requests.get(f"{exchange.addresses.rest}/nowhere", timeout=5),
        requests.put(f"{exchange.addresses.rest}/session/token", timeout=5),
    ):
        assert answer.status_code in {404, 405}
        assert answer.json()["status"] == "error"
        assert answer.json()["error_type"] == "GeneralException"


def test_only_loopback_listens_and_a_taken_port_is_named(exchange: Running) -> None:
    port = int(exchange.addresses.rest.rpartition(":")[2])
    assert exchange.addresses.rest.startswith("http://127.0.0.1:")
    with pytest.raises(SettingsError, match=str(port)), running(Options(port=port), offer()):
        pass
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.1", port)) == 0


def test_another_key_is_the_one_that_counts() -> None:
    with running(Options(credentials=Credentials("mine", "s", "r", None))) as exchange:
        kite = KiteConnect("mine", root=exchange.addresses.rest)
        kite.generate_session("r", "s")
        assert kite.profile()["broker"] == "ZERODHA"
        with pytest.raises(TokenException):
            client(exchange).profile()


def test_the_encoder_is_compiled_before_a_client_can_come(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    monkeypatch.setattr(
        "trading_platform.simulator.exchange.server.encode_frame", lambda rows: encoded.append(len(rows))
    )
    with running(Options(held=True)):
        assert encoded == [1]
