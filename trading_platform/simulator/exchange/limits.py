"""How often a client may ask: the published rates, counted in whole real seconds."""

from collections import Counter
from collections.abc import Callable

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

PER_SECOND = {"quote": 1, "historical": 3, "other": 10}


class RateLimits:
    """Requests of each kind within the present second."""

    def __init__(self, elapsed: Callable[[], int] = elapsed_ns) -> None:
        self._elapsed = elapsed
        self._second = -1
        self._asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def ask(self, kind: str) -> None:
        """Count a request; raise the refusal of one too many."""
        second = self._elapsed() // NS_PER_SECOND
        if second != self._second:
            self._second = second
            self._asked.clear()
        self._asked[kind] += 1
        if self._asked[kind] > PER_SECOND[kind]:
            self.refused[kind] += 1
            raise ExchangeRefusal("Too many requests", status=429, error_type="NetworkException")
