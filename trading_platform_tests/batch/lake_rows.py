"""Small tables, made by hand, that several tests start from."""

from datetime import date, datetime, timedelta

import polars as pl

from trading_platform.market.clock import IST
from trading_platform.wire.lake_tables import INSTRUMENTS, MINUTE_BARS

SESSION = date(2026, 7, 30)
"""A Thursday before closing auctions began, with many regular sessions before it."""

INFY, TCS, NIFTY = 408065, 2953217, 256265


def moment(session: date, hour: int, minute: int) -> datetime:
    """Return a moment of a session in IST."""
    return datetime(session.year, session.month, session.day, hour, minute, tzinfo=IST)


def instruments(session: date = SESSION, **tokens: int) -> pl.DataFrame:
    """Return rows of `instruments`; keywords are symbol=token, a token that ends in 9 is an index."""
    tokens = tokens or {"INFY": INFY, "TCS": TCS, "NIFTY": NIFTY}
    rows = [
        {
            "session": session,
            "token": token,
            "exchange_token": token // 256,
            "symbol": symbol,
            "name": symbol,
            "last_price": 0.0,
            "expiry": None,
            "strike": 0.0,
            "tick_size": 0.05,
            "lot_size": 1,
            "instrument_type": "EQ",
            "segment": "INDICES" if token % 256 == 9 else "NSE",
            "exchange": "NSE",
        }
        for symbol, token in tokens.items()
    ]
    return INSTRUMENTS.conform(pl.DataFrame(rows))


def minute_bars(
    session: date,
    token: int | None,
    symbol: str,
    *,
    closes: list[float],
    volumes: list[int | None] | None = None,
    first: tuple[int, int] = (9, 15),
    kind: int = 0,
) -> pl.DataFrame:
    """Return rows of `minute_bars`, one a minute from `first` on; high and low lie one rupee around the close."""
    start = moment(session, *first)
    rows = [
        {
            "session": session,
            "token": token,
            "symbol": symbol,
            "segment": None if token is None else ("INDICES" if token % 256 == 9 else "NSE"),
            "kind": kind,
            "revision": 0,
            "start": start + timedelta(minutes=place),
            "open": close,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": None if volumes is None else volumes[place],
            "ticks": 4,
            "flags": 0,
            "record": place + 1,
            "source": "ticks",
        }
        for place, close in enumerate(closes)
    ]
    return MINUTE_BARS.conform(pl.DataFrame(rows, infer_schema_length=None))
