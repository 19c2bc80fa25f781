"""Rows of the market as the JSON of Kite's quote calls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.simulator.exchange.accounts import input_refusal
from trading_platform.simulator.exchange.market import UNKNOWN, Market
from trading_platform.wire.kite_layout import Tick
from trading_platform.wire.kite_packets import DEPTH_ROWS
from trading_platform.wire.records import NULL_INT

MOST_QUOTES, MOST_PRICES = 500, 1000

_CIRCUIT = 0.2
_TOKEN_DIGITS = 10
_PAISE = 2


class Quotes:
    """What is asked of many instruments at once; those that are not known are silently absent, as at Kite."""

    def __init__(self, market: Market, day: InstrumentDay, yesterday_second: int) -> None:
        self._market, self._day, self._yesterday_second = market, day, yesterday_second

    def full(self, names: Sequence[str], second: int) -> dict[str, Any]:
        """Return everything that a full packet knows."""
        return {name: _full(row, second) for name, row in self._rows(names, second, MOST_QUOTES).items()}

    def ohlc(self, names: Sequence[str], second: int) -> dict[str, Any]:
        """Return last prices with the day's open, high, low and the close before."""
        return {name: _ohlc(row) for name, row in self._rows(names, second, MOST_PRICES).items()}

    def ltp(self, names: Sequence[str], second: int) -> dict[str, Any]:
        """Return last prices."""
        return {name: _ltp(row) for name, row in self._rows(names, second, MOST_PRICES).items()}

    def _rows(self, names: Sequence[str], second: int, most: int) -> Mapping[str, Tick]:
        if not names:
            raise input_refusal("Missing or empty field `i`")
        if len(names) > most:
            raise input_refusal(f"{len(names)} instruments asked for, at most {most} in one request")
        known = {name: one for name in names if (one := self._find(name)) is not None}
        tokens = np.array([one.token for one in known.values()], np.int64)
        places = self._market.places(tokens)
        there = places != UNKNOWN
        indices = self._market.latest(places[there], second)
        rows = self._market.yesterday(places[there], self._yesterday_second)
        rows[indices != UNKNOWN] = self._market.rows(indices[indices != UNKNOWN])
        kept = [name for name, held in zip(known, there.tolist(), strict=True) if held]
        return dict(zip(kept, rows, strict=True))

    def _find(self, name: str) -> Instrument | None:
        if name.isdecimal():
            return named_by_token(self._day, name)
        found = self._day.by_key.get(name, ())
        return found[0] if len(found) == 1 else None


def named_by_token(day: InstrumentDay, token: str) -> Instrument | None:
    """Return the instrument whose token is written so, None when there is none."""
    # a whole number of any length is refused by `int`, not only one that no token can be
    return day.by_token.get(int(token)) if token.isdecimal() and len(token) <= _TOKEN_DIGITS else None


def _ltp(row: Tick) -> dict[str, Any]:
    return {"instrument_token": int(row["token"]), "last_price": _price(row["last_price"])}


def _ohlc(row: Tick) -> dict[str, Any]:
    return {**_ltp(row), "ohlc": {name: _price(row[name]) for name in ("open", "high", "low", "close")}}


def _full(row: Tick, second: int) -> dict[str, Any]:
    last, close = _price(row["last_price"]), _price(row["close"])
    said = {
        **_ohlc(row),
        "timestamp": _moment(second),
        "last_trade_time": _moment(int(row["last_trade_time"])),
        "net_change": round(last - close, _PAISE),
    }
    if row["is_index"]:
        return said
    return {
        **said,
        "last_quantity": int(row["last_quantity"]),
        "buy_quantity": int(row["total_buy_quantity"]),
        "sell_quantity": int(row["total_sell_quantity"]),
        "volume": int(row["volume"]),
        "average_price": _price(row["average_price"]),
        "oi": int(row["open_interest"]),
        "oi_day_high": int(row["open_interest_day_high"]),
        "oi_day_low": int(row["open_interest_day_low"]),
        "lower_circuit_limit": round(close * (1.0 - _CIRCUIT), _PAISE),
        "upper_circuit_limit": round(close * (1.0 + _CIRCUIT), _PAISE),
        "depth": {"buy": _side(row, 0), "sell": _side(row, DEPTH_ROWS // 2)},
    }


def _side(row: Tick, begin: int) -> list[dict[str, Any]]:
    return [
        {
            "price": _price(row["depth_price"][place]),
            "quantity": int(row["depth_quantity"][place]),
            "orders": int(row["depth_orders"][place]),
        }
        for place in range(begin, begin + DEPTH_ROWS // 2)
    ]


def _price(value: float) -> float:
    return round(float(value), 7)


def _moment(second: int) -> str | None:
    if second in {0, NULL_INT}:
        return None
    return f"{from_ns(second * NS_PER_SECOND):%Y-%m-%d %H:%M:%S}"
