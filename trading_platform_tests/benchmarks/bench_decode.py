"""How much faster than the official Python client our decoder reads mixed frames of 200 packets.

Run `python -m trading_platform_tests.benchmarks.bench_decode`; both must read the same values in the same run.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_packets import DAMAGE, TICK, damage_capacity, decode_frame, tick_capacity
from trading_platform_tests.wire.official_client import expected_rows, parse, rows

PACKETS, FRAMES, ROUNDS = 200, 50, 7
MODES = (3, 3, 2, 1)
"""FULL twice as often as QUOTE and LTP; one packet in ten is an index."""


def mixed_frame(random: np.random.Generator) -> bytes:
    """Write a frame of 200 packets of every kind."""
    ticks = np.zeros(PACKETS, TICK)
    ticks["mode"] = random.choice(MODES, PACKETS)
    ticks["is_index"] = random.random(PACKETS) < 0.1
    segments = np.where(ticks["is_index"], 9, random.choice([1, 2, 3, 4, 5, 6, 7, 12], PACKETS))
    ticks["token"] = random.integers(1, 2**20, PACKETS) * 256 + segments
    for name in TICK.names:
        if name not in {"mode", "is_index", "token", "segment", "pad"}:
            ticks[name] = random.integers(1, 200, ticks[name].shape)
    return encode_frame(ticks)


def main() -> None:
    """Measure, compare, print JSON."""
    random = np.random.default_rng(1)
    frames = [mixed_frame(random) for _ in range(FRAMES)]
    buffer = np.frombuffer(b"".join(frames), np.uint8)
    stops = np.cumsum([len(frame) for frame in frames]).tolist()
    ticks, damage = np.empty(tick_capacity(len(buffer)), TICK), np.empty(damage_capacity(len(buffer)), DAMAGE)

    def ours() -> int:
        count = damaged = start = 0
        for stop in stops:
            count, damaged = decode_frame(buffer, start, stop, ticks, count, damage, damaged)
            start = stop
        return count

    def official() -> int:
        return sum(len(parse(frame)) for frame in frames)

    count = ours()
    if rows(ticks[:count]) != [row for frame in frames for row in expected_rows(frame)]:
        raise SystemExit("the decoders differ: see trading_platform_tests/wire/test_kite_packets.py")
    ours_ns, official_ns = (_best(run) / count for run in (ours, official))
    result = {
        "packets": count,
        "bytes_per_packet": round(len(buffer) / count, 1),
        "equal": True,
        "ours_ns_per_packet": round(ours_ns, 1),
        "official_ns_per_packet": round(official_ns, 1),
        "ratio": round(official_ns / ours_ns, 1),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _best(run: Callable[[], int]) -> int:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - begin)
    return min(times)


if __name__ == "__main__":
    main()
