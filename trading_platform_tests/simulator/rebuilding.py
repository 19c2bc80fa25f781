"""Rebuild bars from frames without any of the platform's own code, by the rules of the architecture page."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kiteconnect import KiteTicker


@dataclass
class NaiveBar:
    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True)
class NaiveTick:
    token: int
    second: int
    price: float
    day_volume: int | None
    day: tuple[float, float, float, float]
    average: float | None


def naive_ticks(payload: bytes) -> list[NaiveTick]:
    """Read the packets of a frame with nothing but struct (NSE and NFO prices: a hundredth of a rupee a word)."""
    found = []
    at = 2
    for _ in range(struct.unpack_from(">H", payload)[0] if len(payload) > 1 else 0):
        (length,) = struct.unpack_from(">H", payload, at)
        words = struct.unpack_from(f">{length // 4}I", payload, at + 2)
        at += 2 + length
        if length == 32:
            day = (words[4] / 100, words[2] / 100, words[3] / 100, words[5] / 100)
            found.append(NaiveTick(words[0], words[7], words[1] / 100, None, day, None))
        else:
            assert length == 184
            day = (words[7] / 100, words[8] / 100, words[9] / 100, words[10] / 100)
            found.append(NaiveTick(words[0], words[15], words[1] / 100, words[4], day, words[3] / 100))
    assert len(payload) <= 1 or at == len(payload)
    return found


def rebuild(ticks: Iterable[NaiveTick]) -> dict[tuple[int, int], NaiveBar]:
    """Return bars by (token, start of the minute in seconds)."""
    bars: dict[tuple[int, int], NaiveBar] = {}
    day_volume: dict[int, int] = {}
    for tick in ticks:
        traded = 0 if tick.day_volume is None else tick.day_volume - day_volume.get(tick.token, 0)
        assert traded >= 0
        day_volume[tick.token] = tick.day_volume or 0
        key = (tick.token, tick.second // 60 * 60)
        bar = bars.setdefault(key, NaiveBar(tick.price, tick.price, tick.price, tick.price, 0))
        bar.high, bar.low = max(bar.high, tick.price), min(bar.low, tick.price)
        bar.close = tick.price
        bar.volume += traded
    return bars


def official_ticks(payload: bytes) -> list[dict[str, Any]]:
    """Return what the official Python client reads out of a frame."""
    client = KiteTicker.__new__(KiteTicker)
    parsed: list[dict[str, Any]] = client._parse_binary(payload)
    return parsed
