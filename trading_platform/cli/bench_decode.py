"""A process of `trading-platform bench`: our decoder beside the official client's on mixed frames of 200 packets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from kiteconnect import KiteTicker

from trading_platform.cli.console import say
from trading_platform.market.clock import elapsed_ns
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_packets import DAMAGE, TICK, damage_capacity, decode_frame, tick_capacity

PACKETS, FRAMES, ROUNDS = 200, 50, 9
WANTED_RATIO = 150.0
_MODES = (3, 3, 2, 1)
"""FULL twice as often as QUOTE and LTP; one packet in ten is an index."""

_SAME = {
    "instrument_token": "token",
    "last_price": "last_price",
    "volume_traded": "volume",
    "average_traded_price": "average_price",
    "last_traded_quantity": "last_quantity",
    "total_buy_quantity": "total_buy_quantity",
    "total_sell_quantity": "total_sell_quantity",
    "oi": "open_interest",
    "oi_day_high": "open_interest_day_high",
    "oi_day_low": "open_interest_day_low",
}
"""The official client's names for our columns; times and books are nested or typed there, and compared below."""


def mixed_frame(random: np.random.Generator) -> bytes:
    """Write a frame of 200 packets of every kind."""
    ticks = np.zeros(PACKETS, TICK)
    ticks["mode"] = random.choice(_MODES, PACKETS)
    ticks["is_index"] = random.random(PACKETS) < 0.1
    segments = np.where(ticks["is_index"], 9, random.choice([1, 2, 3, 4, 5, 6, 7, 12], PACKETS))
    ticks["token"] = random.integers(1, 2**20, PACKETS) * 256 + segments
    for name in TICK.names or ():
        if name not in {"mode", "is_index", "token", "segment", "pad"}:
            ticks[name] = random.integers(1, 200, ticks[name].shape)
    return encode_frame(ticks)


def same(theirs: dict[str, Any], ours: Any) -> bool:
    """Tell whether both read the same values: all that the official client gives of a packet is compared."""
    values = [theirs[name] == ours[column] for name, column in _SAME.items() if name in theirs]
    values += [value == ours[name] for name, value in theirs.get("ohlc", {}).items()]
    for name, column in (("last_trade_time", "last_trade_time"), ("exchange_timestamp", "exchange_time")):
        if theirs.get(name) is not None:
            values.append(int(theirs[name].timestamp()) == ours[column])
    book = theirs.get("depth", {"buy": [], "sell": []})
    for row, level in enumerate(book["buy"] + book["sell"]):
        values += [level[name] == ours[f"depth_{name}"][row] for name in ("price", "quantity")]
        values.append(level["orders"] == ours["depth_orders"][row])
    return all(values)


def main() -> None:
    """Measure, compare, print JSON."""
    random = np.random.default_rng(1)
    frames = [mixed_frame(random) for _ in range(FRAMES)]
    buffers = [np.frombuffer(frame, np.uint8) for frame in frames]
    size = max(map(len, frames))
    ticks, damage = np.empty(tick_capacity(size), TICK), np.empty(damage_capacity(size), DAMAGE)
    client = KiteTicker("key", "token")

    def ours(number: int) -> int:
        return decode_frame(buffers[number], 0, len(buffers[number]), ticks, 0, damage, 0)[0]

    def official(number: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client._parse_binary(frames[number])
        return found

    equal = True
    for number in range(FRAMES):
        theirs = official(number)
        equal &= ours(number) == len(theirs) == PACKETS and all(map(same, theirs, ticks[:PACKETS]))
    ours_ns, official_ns = (_best(run) / (FRAMES * PACKETS) for run in (ours, official))
    result = {
        "packets": FRAMES * PACKETS,
        "bytes_per_packet": round(sum(map(len, frames)) / (FRAMES * PACKETS), 1),
        "ours_ns_per_packet": round(ours_ns, 1),
        "official_ns_per_packet": round(official_ns, 1),
        "ratio": round(official_ns / ours_ns, 1),
        "equal": {"values": bool(equal)},
        "met": official_ns / ours_ns >= WANTED_RATIO,
    }
    say(orjson.dumps(result).decode())


def _best(run: Callable[[int], object]) -> int:
    """Return the least time of each frame, summed up: one frame is short enough to be left alone by other work."""
    total = 0
    for number in range(FRAMES):
        times = []
        for _ in range(ROUNDS):
            begin = elapsed_ns()
            run(number)
            times.append(elapsed_ns() - begin)
        total += min(times)
    return total


if __name__ == "__main__":
    main()
