import pytest

from trading_platform.errors import ExchangeRefusal
from trading_platform.simulator.exchange.limits import RateLimits


@pytest.mark.parametrize(("kind", "most"), [("quote", 1), ("historical", 3), ("other", 10)])
def test_the_published_rates_hold_within_each_second(kind: str, most: int) -> None:
    now = [5_000_000_000]
    limits = RateLimits(lambda: now[0])
    for _ in range(2):
        for _ in range(most):
            limits.ask(kind)
        with pytest.raises(ExchangeRefusal) as refusal:
            limits.ask(kind)
        assert (refusal.value.status, refusal.value.error_type) == (429, "NetworkException")
        now[0] += 1_000_000_000
    assert limits.refused == {kind: 2}


def test_kinds_are_counted_apart() -> None:
    limits = RateLimits(lambda: 0)
    limits.ask("quote")
    limits.ask("historical")
    limits.ask("other")
