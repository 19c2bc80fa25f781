"""The oracle of the wire tests: what the official Python client makes of a payload, as rows of our columns.

The two differences that we want are applied here and nowhere else: a time of zero is null, and a price word has a sign
(each is asserted on its own in test_kite_packets).
"""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from kiteconnect import KiteTicker

NULL = -1
DATA = Path(__file__).parents[3] / "shared" / "data"
KNOWN_LENGTHS = (8, 28, 32, 44, 184)
DIVISORS = {1: 100, 2: 100, 3: 10_000_000, 4: 100, 5: 100, 6: 10_000, 7: 100, 8: 100, 9: 100, 12: 10_000, 77: 100}

_MODES = {"ltp": 1, "quote": 2, "full": 3}
_CLIENT = KiteTicker("key", "token")


def parse(payload: bytes) -> list[dict[str, Any]]:
    """Return the official client's ticks."""
    return _CLIENT._parse_binary(payload)


def expected_rows(payload: bytes) -> list[dict[str, Any]]:
    return [expected_row(tick) for tick in parse(payload)]


def expected_row(tick: dict[str, Any]) -> dict[str, Any]:
    segment = tick["instrument_token"] % 256

    def price(value: float | None) -> float | None:
        return None if value is None else _signed(value, DIVISORS.get(segment, 100))

    ohlc = tick.get("ohlc", {})
    depth = tick["depth"]["buy"] + tick["depth"]["sell"] if "depth" in tick else [{}] * 10
    index_layout = "ohlc" in tick and "volume_traded" not in tick
    return {
        "token": tick["instrument_token"],
        "segment": segment,
        "mode": _MODES[tick["mode"]],
        "is_index": int(index_layout or (tick["mode"] == "ltp" and not tick["tradable"])),
        "pad": 0,
        "last_price": price(tick["last_price"]),
        "last_quantity": tick.get("last_traded_quantity", NULL),
        "average_price": price(tick.get("average_traded_price")),
        "volume": tick.get("volume_traded", NULL),
        "total_buy_quantity": tick.get("total_buy_quantity", NULL),
        "total_sell_quantity": tick.get("total_sell_quantity", NULL),
        "open": price(ohlc.get("open")),
        "high": price(ohlc.get("high")),
        "low": price(ohlc.get("low")),
        "close": price(ohlc.get("close")),
        "last_trade_time": _seconds(tick.get("last_trade_time")),
        "open_interest": tick.get("oi", NULL),
        "open_interest_day_high": tick.get("oi_day_high", NULL),
        "open_interest_day_low": tick.get("oi_day_low", NULL),
        "exchange_time": _seconds(tick.get("exchange_timestamp")),
        "depth_price": [price(level.get("price")) for level in depth],
        "depth_quantity": [level.get("quantity", NULL) for level in depth],
        "depth_orders": [level.get("orders", NULL) for level in depth],
    }


def rows(ticks: np.ndarray) -> list[dict[str, Any]]:
    """Return decoded ticks as plain values, NaN as None."""
    return [{name: _plain(tick[name].tolist()) for name in ticks.dtype.names} for tick in ticks]


def frame(*packets: bytes, count: int | None = None) -> bytes:
    """Write a payload by hand."""
    announced = len(packets) if count is None else count
    return announced.to_bytes(2, "big") + b"".join(len(body).to_bytes(2, "big") + body for body in packets)


def words(*values: int) -> bytes:
    """Write unsigned or negative numbers as 32-bit words."""
    return b"".join((value % 2**32).to_bytes(4, "big") for value in values)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Draw a packet of any kind, segment and content."""
    word = st.one_of(
        st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1]), st.integers(10_000, 9_999_999)
    )
    length = draw(st.sampled_from(KNOWN_LENGTHS))
    token = draw(st.integers(0, 2**24 - 1)) * 256 + draw(st.sampled_from(sorted(DIVISORS)))
    return words(token, *draw(st.lists(word, min_size=length // 4 - 1, max_size=length // 4 - 1)))


def _signed(price: float, divisor: int) -> float:
    word = round(price * divisor)
    return (word - 2**32) / divisor if word >= 2**31 else price


def _seconds(moment: datetime | None) -> int:
    # the client's naive times are in the zone of the machine, and so is this way back
    return NULL if moment is None or moment.timestamp() == 0 else int(moment.timestamp())


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
