"""What the official KiteConnect asks for beyond a first look: every interval, every kind of refusal."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException, GeneralException, InputException, NetworkException, TokenException

from trading_platform.market.clock import IST, pause
from trading_platform.simulator.exchange.server import Options
from trading_platform_tests.simulator.exchange.offered import FUTURE, NEXT_FUTURE, Running, running
from trading_platform_tests.simulator.exchange.official_process import ACCESS
from trading_platform_tests.simulator.made_bars import OTHER, START, STOCK

TODAY = datetime(2016, 8, 16, 9, 15), datetime(2016, 8, 16, 15, 30)
BOTH_DAYS = datetime(2016, 8, 12), datetime(2016, 8, 16)


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running(Options(at_second=START + 2400)) as found:
        yield found


def client(exchange: Running, token: str = ACCESS) -> KiteConnect:
    return KiteConnect("simulator", access_token=token, root=exchange.addresses.rest)


@pytest.fixture
def kite(exchange: Running) -> KiteConnect:
    return client(exchange)


def paced(call: Callable[[], Any]) -> Any:
    """Ask again where the second's requests are used up."""
    for _ in range(3):
        try:
            return call()
        except NetworkException:
            pause(1.05)
    raise AssertionError("always refused")


@pytest.mark.parametrize(
    ("interval", "candles"),
    [
        ("minute", 30),
        ("3minute", 10),
        ("5minute", 6),
        ("10minute", 3),
        ("15minute", 2),
        ("30minute", 1),
        ("60minute", 1),
        ("day", 1),
    ],
)
def test_each_interval_gathers_the_same_volume(kite: KiteConnect, interval: str, candles: int) -> None:
    found = paced(lambda: kite.historical_data(OTHER, *TODAY, interval))
    assert len(found) == candles
    assert sum(one["volume"] for one in found) == sum(range(100, 130))
    # the second of six instruments: its first bar opens at 105.00, its last one closes at 107.80
    assert (found[0]["open"], found[-1]["close"]) == (105.0, 107.8)
    first = datetime(2016, 8, 16, tzinfo=IST) + (timedelta() if interval == "day" else timedelta(hours=9, minutes=15))
    assert found[0]["date"] == first
    assert "oi" not in found[0]


def test_continuous_days_are_those_of_the_nearest_future(kite: KiteConnect) -> None:
    near = paced(lambda: kite.historical_data(FUTURE, *BOTH_DAYS, "day", oi=True))
    assert [one["date"].day for one in near] == [12, 16]
    assert all(one["oi"] > 0 for one in near)
    assert paced(lambda: kite.historical_data(NEXT_FUTURE, *BOTH_DAYS, "day", continuous=True, oi=True)) == near
    with pytest.raises(InputException, match="continuous"):
        paced(lambda: kite.historical_data(STOCK, *BOTH_DAYS, "day", continuous=True))


def test_what_cannot_be_answered_is_an_input_exception(kite: KiteConnect) -> None:
    for token, interval in ((999, "day"), (STOCK, "2minute")):
        with pytest.raises(InputException, match="invalid") as error:
            paced(lambda token=token, interval=interval: kite.historical_data(token, *TODAY, interval))
        assert error.value.code == 400


def test_what_stands_behind_gives_nonsense_for_a_call_or_for_a_while() -> None:
    with running(Options()) as own:
        kite = client(own)
        own.post("/simulator/faults", {"kind": "bad_upstream", "count": 2})
        for _ in range(2):
            with pytest.raises(DataException) as error:
                kite.profile()
            assert error.value.code == 502
        assert kite.profile()["user_id"]
        own.post("/simulator/faults", {"kind": "bad_upstream", "seconds": 100})
        for _ in range(3):
            with pytest.raises(DataException):
                kite.instruments()
        assert own.get("/simulator/faults") == {"bad_upstream": 5}
        requests.delete(f"{own.addresses.rest}/simulator/faults", timeout=5)
        assert kite.profile()["user_id"]


def test_a_path_that_is_not_there_is_a_general_exception(kite: KiteConnect) -> None:
    with pytest.raises(GeneralException) as error:
        kite.holdings()
    assert error.value.code == 404


@pytest.mark.parametrize(("kind", "most"), [("historical", 3), ("other", 10)])
def test_the_published_rates_hold_for_every_kind_of_call(kind: str, most: int) -> None:
    with running(Options()) as own:
        kite = client(own)
        calls = {"historical": lambda: kite.historical_data(STOCK, *TODAY, "day"), "other": kite.profile}
        answered = 0
        with pytest.raises(NetworkException, match="Too many requests") as error:
            for _ in range(10 * most):
                calls[kind]()
                answered += 1
        assert answered >= most
        assert error.value.code == 429
        assert own.get("/simulator/sent")["refused_requests"] == {kind: 1}


def test_a_request_token_of_the_login_page_is_exchanged_once() -> None:
    with running(Options()) as own:
        kite = client(own, "")
        page = requests.get(
            f"{own.addresses.rest}/connect/login?v=3&api_key=simulator", allow_redirects=False, timeout=5
        )
        (token,) = parse_qs(urlsplit(page.headers["location"]).query)["request_token"]
        kite.generate_session(token, "simulator-secret")
        assert kite.profile()["user_id"]
        with pytest.raises(TokenException, match="expired"):
            kite.generate_session(token, "simulator-secret")


def test_tokens_that_are_refused_for_a_while_call_the_session_expiry_hook() -> None:
    with running(Options()) as own:
        kite = client(own)
        told = []
        kite.set_session_expiry_hook(lambda: told.append(True))
        own.post("/simulator/faults", {"kind": "refuse_token", "seconds": 60})
        with pytest.raises(TokenException):
            kite.profile()
        assert told == [True]
        assert requests.delete(f"{own.addresses.rest}/simulator/faults", timeout=5).ok
        assert kite.profile()
