"""The daily login against the simulated exchange, which checks the checksum, and against broken answers."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from trading_platform.errors import AccessRefused, BrokerError
from trading_platform.kite.login import log_in, login_url, request_token_of
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import IST, Clock, to_ns
from trading_platform_tests.kite.test_candles import Answers, root, server
from trading_platform_tests.simulator.exchange.offered import Options, Running, running
from trading_platform_tests.simulator.made_bars import START

__all__ = ["root", "server"]

KEY, SECRET, REQUEST = SecretStr("simulator"), SecretStr("simulator-secret"), SecretStr("simulator-request")
HOUR_NS = 3600 * 10**9


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running(Options(at_second=START)) as found:
        yield found


def test_a_login_gives_a_token_that_the_exchange_takes_and_that_lives_as_long_as_it_says(exchange: Running) -> None:
    now = to_ns(datetime(2026, 11, 20, 22, 0, tzinfo=IST))
    clock = Clock.starting_at(now, 1.0)
    found = log_in(KEY, SECRET, REQUEST, root=exchange.addresses.rest, clock=clock)
    token = found.access_token
    assert KiteRest(KEY, token, root=exchange.addresses.rest).instruments_csv()
    assert found.user_id == "SIM001"
    # by the exchange's clock it is the morning of the session: six o'clock is that many hours away, whatever ours says
    begun = datetime.fromtimestamp(START, IST)
    left_ns = int((begun.replace(hour=6, minute=0, second=0).timestamp() + 86400 - START) * 1e9)
    assert abs(found.dies_ns - now - left_ns) < 60 * 10**9
    assert left_ns > 20 * HOUR_NS
    assert token.get_secret_value() not in repr(found)


def test_a_wrong_secret_or_request_token_is_refused_without_being_shown(exchange: Running) -> None:
    for secret, request in ((SecretStr("wrong-secret-1"), REQUEST), (SECRET, SecretStr("wrong-request-1"))):
        with pytest.raises(AccessRefused, match="refuses the login") as caught:
            log_in(KEY, secret, request, root=exchange.addresses.rest, clock=Clock.wall())
        assert "wrong-" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {"status": "success", "data": []},
        {"status": "success", "data": {"user_id": "A"}},
        {"status": "success", "data": {"access_token": "leaked-token", "user_id": 5, "login_time": 0}},
        {"status": "success", "data": {"access_token": "leaked-token", "login_time": "2026-99-99 10:00:00"}},
    ],
)
def test_an_answer_that_is_none_is_named(root: str, body: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "do_POST", Answers.do_GET, raising=False)
    Answers.body = body
    with pytest.raises((BrokerError, AccessRefused)) as caught:
        log_in(KEY, SECRET, REQUEST, root=root, clock=Clock.wall())
    assert "leaked-token" not in str(caught.value)


def test_a_broker_that_is_not_there_is_named() -> None:
    with pytest.raises(BrokerError, match="connection"):
        log_in(KEY, SECRET, REQUEST, root="http://127.0.0.1:9", clock=Clock.wall())


def test_the_login_page_is_that_of_kite() -> None:
    assert login_url(SecretStr("abc")) == "https://kite.zerodha.com/connect/login?v=3&api_key=abc"
    query = parse_qs(urlsplit(login_url(SecretStr("a&b"), state="s/1")).query)
    assert query == {"v": ["3"], "api_key": ["a&b"], "redirect_params": ["state=s/1"]}


@pytest.mark.parametrize(
    "given",
    [
        "Req123",
        "  Req123\n",
        "https://127.0.0.1/?action=login&status=success&request_token=Req123",
        "status=success&request_token=Req123&action=login",
        "request_token=Req123",
    ],
)
def test_the_request_token_is_found_in_what_is_pasted(given: str) -> None:
    assert request_token_of(given).get_secret_value() == "Req123"


@pytest.mark.parametrize(
    "given", ["", " ", "https://127.0.0.1/?status=success", "two words", "?status=error&request_token=Req123", "x\x00"]
)
def test_what_holds_none_is_refused(given: str) -> None:
    with pytest.raises(AccessRefused):
        request_token_of(given)
