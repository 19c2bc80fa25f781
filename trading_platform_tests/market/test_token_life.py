from datetime import datetime

import pytest

from trading_platform.market.clock import IST, to_ns
from trading_platform.market.token_life import token_dies_ns


def at(day: int, hour: int, minute: int = 0) -> int:
    return to_ns(datetime(2026, 7, day, hour, minute, tzinfo=IST))


@pytest.mark.parametrize(
    ("accepted", "dies"),
    [(at(30, 8, 45), at(31, 6)), (at(30, 23, 59), at(31, 6)), (at(31, 5, 59), at(31, 6)), (at(30, 6), at(31, 6))],
)
def test_a_token_dies_at_six_in_the_morning_after(accepted: int, dies: int) -> None:
    assert token_dies_ns(accepted) == dies
