"""A made instrument, its sessions, and candles of Kite for them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from trading_platform.batch.backfill_plan import Target
from trading_platform.errors import PlatformError
from trading_platform.market.clock import IST
from trading_platform.market.session_kinds import SessionClass
from trading_platform.ports import FetchedCandles
from trading_platform.wire.candle_block import Candle

MONDAY, TUESDAY, WEDNESDAY = date(2026, 7, 27), date(2026, 7, 28), date(2026, 7, 29)
WEEK = (MONDAY, TUESDAY, WEDNESDAY)
AT = datetime(2026, 7, 30, 8, 0, tzinfo=IST)
ALPHA = Target(256 * 7 + 1, "ALPHA", "NSE", SessionClass.NSE_CASH, is_index=False)
INDEX = Target(256 * 8 + 9, "NIFTY 50", "INDICES", SessionClass.NSE_INDEX, is_index=True)


def second(day: date, hour: int, minute: int) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST).timestamp())


def candle(day: date, minute: int, *, token: int = ALPHA.token, price: float = 100.0, volume: float = 10.0) -> Candle:
    """One candle, `minute` minutes after 09:15."""
    return Candle(token, second(day, 9, 15) + minute * 60, price, price + 1, price - 1, price, volume)


@dataclass
class Answers:
    """Gives two candles for each day asked for; `fail` may raise first."""

    fail: Callable[[int], PlatformError | None] = lambda _: None
    asked: list[tuple[int, int, int]] = field(default_factory=list)
    days: tuple[date, ...] = WEEK

    def minute_candles(self, token: int, begin: int, end: int) -> FetchedCandles:
        self.asked.append((token, begin, end))
        error = self.fail(len(self.asked))
        if error is not None:
            raise error
        inside = [day for day in self.days if begin <= second(day, 0, 0) < end]
        return FetchedCandles(tuple(candle(day, minute, token=token) for day in inside for minute in range(2)))
