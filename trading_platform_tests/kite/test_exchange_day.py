"""A simulated exchange says which session it trades; anything else says nothing."""

import pytest

from trading_platform.kite.exchange_day import exchange_day
from trading_platform_tests.simulator.exchange.offered import SESSION, running


def test_a_simulated_exchange_says_its_session() -> None:
    with running() as exchange:
        assert exchange_day(exchange.addresses.rest) == SESSION
        assert exchange_day(f"{exchange.addresses.rest}/elsewhere") is None


@pytest.mark.parametrize("root", ["http://127.0.0.1:1", "nothing"])
def test_nobody_there_is_no_exchange(root: str) -> None:
    assert exchange_day(root) is None
