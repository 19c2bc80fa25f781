"""How fast the whole pass is: packets to bars, indicators and patterns, beside the official client's parser alone.

Run `python -m trading_platform_tests.benchmarks.bench_pass`. The same ticks are also grouped into bars by Polars, and
both must give the same bars in the same run.
"""

import json
import sys
import time
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
import polars as pl

from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.market.clock import IST, NS_PER_SECOND
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.settings import CalculationSettings
from trading_platform.wire.blocks import content_hash
from trading_platform.wire.instrument_block import to_block
from trading_platform.wire.journal_records import (
    ControlType,
    RecordBatch,
    RecordKind,
    encode_control,
    encode_record,
    scan_records,
)
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_layout import TICK, Mode
from trading_platform.wire.session_block import encode_hours
from trading_platform_tests.wire.official_client import parse

SESSION = date(2026, 7, 31)
OPENS = int(datetime(2026, 7, 31, 9, 15, tzinfo=IST).timestamp())
ROUNDS, TICKS = 3, 400_000
BATCH_RECORDS = 512


class Day:
    """A session of random walks: as many instruments and packets a frame as asked for."""

    def __init__(self, instruments: int, packets: int, ticks: int = TICKS) -> None:
        self.contents: dict[str, bytes] = {}
        self.frames: list[bytes] = []
        self._records: list[bytes] = []
        listed = assign_tokens([(f"N{k}", False) for k in range(instruments)])
        tokens = np.array([one.token for one in listed], np.uint32)
        self._open(InstrumentDay(SESSION, tuple(listed)), tokens)
        self._trade(tokens, packets, ticks)
        self.batch = scan_records(b"".join(self._records)).records

    def run(self) -> tuple[float, list[Produced]]:
        """Return the seconds of one pass over the whole day, and what it gave."""
        state = SessionPass(SESSION, self.contents.__getitem__)
        parts = []
        begun = time.perf_counter()
        for first in range(0, len(self.batch), BATCH_RECORDS):
            part = RecordBatch(self.batch.buffer, self.batch.table[first : first + BATCH_RECORDS])
            parts.append(state.feed(part))
        return time.perf_counter() - begun, parts

    def _open(self, day: InstrumentDay, tokens: np.ndarray) -> None:
        contents: list[tuple[ControlType, bytes | None, dict[str, Any]]] = [
            (ControlType.SESSION_OPENED, None, {"session": SESSION.isoformat(), "shard": "b"}),
            (ControlType.SETTINGS, CalculationSettings().canonical(), {}),
            (ControlType.SESSION_TABLE, encode_hours(load_session_table(), SESSION), {}),
            (ControlType.INSTRUMENTS, to_block(day), {}),
            (ControlType.SUBSCRIBED, orjson.dumps(tokens.tolist()), {"socket": 0, "mode": "full"}),
        ]
        for kind, content, fields in contents:
            if content is not None:
                self.contents[content_hash(content)] = content
                fields["sha256"] = content_hash(content)
            self._add(RecordKind.CONTROL, encode_control(kind, **fields), (OPENS - 60) * NS_PER_SECOND)

    def _trade(self, tokens: np.ndarray, packets: int, ticks: int) -> None:
        random = np.random.default_rng(1)
        prices, volumes = np.full(len(tokens), 100.0), np.zeros(len(tokens), np.int64)
        per_second = max(packets, 2 * len(tokens) // 2)
        second = 0
        while ticks > 0:
            chosen = random.permutation(len(tokens))[:per_second]
            prices[chosen] = np.round(prices[chosen] + random.integers(-2, 3, len(chosen)) * 0.05, 2)
            volumes[chosen] += random.integers(0, 50, len(chosen))
            for first in range(0, len(chosen), packets):
                rows = chosen[first : first + packets]
                frame = _frame(tokens[rows], prices[rows], volumes[rows], OPENS + second)
                self.frames.append(frame)
                self._add(RecordKind.FRAME, frame, (OPENS + second) * NS_PER_SECOND + 400_000_000 + first)
            ticks -= len(chosen)
            second += 1
        self._add(RecordKind.CONTROL, encode_control(ControlType.SESSION_CLOSED), (OPENS + second + 9) * NS_PER_SECOND)

    def _add(self, kind: RecordKind, body: bytes, received_ns: int) -> None:
        self._records.append(encode_record(len(self._records) + 1, received_ns, kind, body))


def _frame(tokens: np.ndarray, prices: np.ndarray, volumes: np.ndarray, exchange_time: int) -> bytes:
    ticks = np.zeros(len(tokens), TICK)
    ticks["token"], ticks["segment"], ticks["mode"] = tokens, tokens & 0xFF, int(Mode.FULL)
    ticks["last_price"], ticks["volume"], ticks["exchange_time"] = prices, volumes, exchange_time
    return encode_frame(ticks)


def main() -> None:
    """Measure, compare, print JSON."""
    result: dict[str, Any] = {"equal": True}
    parser_ns = 0.0
    for instruments, packets in ((200, 20), (200, 200), (100, 100), (9000, 200)):
        day = Day(instruments, packets)
        runs = [day.run() for _ in range(ROUNDS)]
        seconds = min(took for took, _ in runs)
        ticks = sum(int.from_bytes(frame[:2], "big") for frame in day.frames)
        if packets == 200 and instruments == 200:
            parser_ns = _parser_ns(day.frames[:100])
            result["bars_compared"] = _compare(day, runs[-1][1])
        result[f"ticks_per_second_{instruments}_instruments_frames_of_{packets}"] = round(ticks / seconds)
    hundred, most = (
        result[f"ticks_per_second_{n}"] for n in ("100_instruments_frames_of_100", "9000_instruments_frames_of_200")
    )
    result["slower_at_9000_than_at_100"] = round(hundred / most, 2)
    result["official_parser_ticks_per_second"] = round(1e9 / parser_ns)
    whole = result["ticks_per_second_200_instruments_frames_of_200"]
    result["ratio_whole_pass_to_official_parser"] = round(whole * parser_ns / 1e9, 1)
    sys.stdout.write(json.dumps(result) + "\n")


def _parser_ns(frames: list[bytes]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        count = sum(len(parse(frame)) for frame in frames)
        times.append((time.perf_counter_ns() - begun) / count)
    return min(times)


def _compare(day: Day, parts: list[Produced]) -> int:
    rows = [tick for frame in day.frames for tick in parse(frame)]
    seen = pl.DataFrame(
        {
            "token": [tick["instrument_token"] for tick in rows],
            "start": [int(tick["exchange_timestamp"].timestamp()) // 60 * 60 for tick in rows],
            "price": [tick["last_price"] for tick in rows],
            "volume": [tick["volume_traded"] for tick in rows],
        }
    )
    price = pl.col("price")
    expected = (
        seen.group_by("token", "start", maintain_order=True)
        .agg(price.first().alias("open"), price.max().alias("high"), price.min().alias("low"),
             price.last().alias("close"), pl.col("volume").max().alias("top"))
        .sort("token", "start")
        .with_columns(volume=pl.col("top") - pl.col("top").shift(1, fill_value=0).over("token"))
        .drop("top")
    )  # fmt: skip
    bars = np.concatenate([part.bars for part in parts])
    bars = bars[bars["interval"] == 1]
    names = ("token", "start", "open", "high", "low", "close", "volume")
    ours = pl.DataFrame({name: np.ascontiguousarray(bars[name]) for name in names}).sort("token", "start")
    if not ours.cast(pl.Float64).equals(expected.select(names).cast(pl.Float64)):
        raise SystemExit("the bars of the pass are not those that Polars makes of the same ticks")
    return ours.height


if __name__ == "__main__":
    main()
