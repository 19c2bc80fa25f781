import hashlib
import time
from datetime import datetime

import pytest

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.clock import IST, elapsed_ns, to_ns
from trading_platform.simulator.exchange.accounts import Accounts, Credentials, Login
from trading_platform.simulator.exchange.clock import ExchangeClock

BEGIN = to_ns(datetime(2016, 8, 16, 9, 14, tzinfo=IST))


def accounts(speed: float = 1.0) -> Accounts:
    return Accounts(Credentials("key", "secret", "request", "access"), ExchangeClock(BEGIN, speed))


def checksum(request_token: str) -> str:
    return hashlib.sha256(f"key{request_token}secret".encode()).hexdigest()


def refusal_of(call: object, *arguments: str) -> ExchangeRefusal:
    with pytest.raises(ExchangeRefusal) as refusal:
        call(*arguments)  # type: ignore[operator]
    return refusal.value


def test_a_login_replaces_the_token_before_it() -> None:
    book = accounts()
    book.authorize("key", "access")
    login = book.log_in("key", "request", checksum("request"))
    book.authorize("key", login.access_token)
    assert refusal_of(book.authorize, "key", "access").error_type == "TokenException"
    assert refusal_of(book.authorize, "other", login.access_token).status == 403


def test_a_wrong_checksum_key_or_request_token_is_refused() -> None:
    book = accounts()
    assert "checksum" in str(refusal_of(book.log_in, "key", "request", "00"))
    assert refusal_of(book.log_in, "key", "guess", checksum("guess")).status == 403
    assert refusal_of(book.log_in, "nobody", "request", checksum("request")).status == 403
    book.authorize("key", "access")


def test_a_request_token_of_the_login_page_can_be_exchanged_once() -> None:
    book = accounts()
    token = book.request_token("key")
    book.log_in("key", token, checksum(token))
    assert refusal_of(book.log_in, "key", token, checksum(token)).error_type == "TokenException"


def test_logging_out_ends_the_token() -> None:
    book = accounts()
    book.log_out("key", "access")
    refusal_of(book.authorize, "key", "access")
    assert book.seconds_left() is None


@pytest.mark.parametrize(
    ("at", "dies"),
    [((16, 9, 14), (17, 6, 0)), ((16, 5, 59), (16, 6, 0)), ((16, 6, 0), (17, 6, 0)), ((16, 23, 59), (17, 6, 0))],
)
def test_a_token_dies_at_the_next_six_in_the_morning(at: tuple[int, int, int], dies: tuple[int, int, int]) -> None:
    login = Login("x", to_ns(datetime(2016, 8, *at, tzinfo=IST)))
    assert login.expires_ns == to_ns(datetime(2016, 8, *dies, tzinfo=IST))


def test_the_simulated_clock_lets_it_die() -> None:
    book = accounts(speed=200_000.0)
    book.authorize("key", "access")
    time.sleep(0.5)
    assert refusal_of(book.authorize, "key", "access").status == 403


def test_tokens_can_be_refused_for_a_while() -> None:
    book = accounts()
    book.refuse_tokens(elapsed_ns() + 10**12)
    refusal_of(book.authorize, "key", "access")
    book.refuse_tokens(0)
    book.authorize("key", "access")
