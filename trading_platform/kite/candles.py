"""One-minute candles, asked for with whichever access token the settings hold now."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from trading_platform.errors import AccessRefused, SettingsError
from trading_platform.kite.pace import RequestPace
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, from_ns
from trading_platform.ports import FetchedCandles
from trading_platform.wire.candle_block import Candle

RETRY_SECONDS = 300.0
"""Real seconds after which a refused token is tried again: Kite also refuses good ones for a while."""


class KiteCandles:
    """Asks Kite for candles; a token that it refused is not tried again for a while, another one at once."""

    def __init__(
        self,
        api_key: SecretStr,
        read_token: Callable[[], SecretStr | None],
        root: str,
        *,
        pace: RequestPace | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._pace = pace
        self._api_key, self._read_token, self._root = api_key, read_token, root
        self._retry_ns = int(retry_seconds * NS_PER_SECOND)
        self._token: SecretStr | None = None
        self._rest = KiteRest(None, None, root=root)
        self._refusal: str | None = None
        self._next_ns = 0

    def minute_candles(self, token: int, begin: int, end: int) -> FetchedCandles:
        """Return the candles that start from `begin` up to but not including `end` (seconds since the epoch).

        Raise AccessRefused, RequestRefused or BrokerError.
        """
        self._take_token()
        if self._pace is not None:
            self._pace.wait()
        try:
            rows = self._rest.minute_candles(token, from_ns(begin * NS_PER_SECOND), from_ns((end - 1) * NS_PER_SECOND))
        except AccessRefused as error:
            self._refusal, self._next_ns = str(error), elapsed_ns() + self._retry_ns
            raise
        self._refusal = None
        read = [_candle(token, row) for row in rows]
        found = tuple(candle for candle in read if candle is not None)
        return FetchedCandles(found, len(read) - len(found))

    def _take_token(self) -> None:
        try:
            token = self._read_token()
        except SettingsError as error:
            raise AccessRefused(f"the access token cannot be read: {error}") from error
        if token is None:
            raise AccessRefused("no access token: log in to Kite (trading-platform login)")
        if token != self._token:
            self._token, self._refusal = token, None
            self._rest = KiteRest(self._api_key, token, root=self._root)
        elif self._refusal is not None and elapsed_ns() < self._next_ns:
            raise AccessRefused(self._refusal)


def _candle(token: int, row: Any) -> Candle | None:
    """Read a row `[time, open, high, low, close, volume, ...]`; None when it cannot be read."""
    if not isinstance(row, list) or len(row) < 6 or not isinstance(row[0], str):
        return None
    if any(type(value) not in {int, float} for value in row[1:6]):
        return None
    try:
        moment = datetime.fromisoformat(row[0])
        values = [float(value) for value in row[1:6]]
        start = int(moment.timestamp())
    except (OverflowError, ValueError):
        return None
    return Candle(token, start, *values) if moment.tzinfo is not None and all(map(math.isfinite, values)) else None
