"""Sessions made by hand: records of a journal from packets, for tests of the pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import MissingBlob
from trading_platform.market.clock import IST
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import load_session_table
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

DAY = date(2026, 7, 31)
AUCTION_DAY = date(2026, 8, 5)
NS = 1_000_000_000
CASH, OTHER, INDEX, CRUDE, CLOSED_BOND = 256 * 101 + 1, 256 * 102 + 1, 256 * 201 + 9, 256 * 301 + 7, 256 * 401 + 1

SETTINGS: dict[str, Any] = {
    "spike_min_rvol": 2.0,
    "spike_min_value_inr": 1000.0,
    "breakout_bars": 3,
    "breakout_margin_atr": 0.1,
    "cross_min_rvol": 1.2,
    "cross_min_closes": 3,
    "cooldown_bars": 6,
    "pattern_intervals": [1, 5],
}


def instrument(token: int, symbol: str, *, exchange: str = "NSE", segment: str = "NSE", kind: str = "EQ") -> Instrument:
    name = symbol.removesuffix("FUT")
    expiry = DAY + timedelta(days=40) if kind == "FUT" else None
    return Instrument(token, token // 256, symbol, name, expiry, 0.0, 0.05, 1, kind, segment, exchange)


def instruments(session: date = DAY) -> InstrumentDay:
    return InstrumentDay(
        session,
        (
            instrument(CASH, "CASH"),
            instrument(OTHER, "OTHER"),
            instrument(INDEX, "INDEX 50", segment="INDICES"),
            instrument(CRUDE, "CRUDEFUT", exchange="MCX", segment="MCX-FUT", kind="FUT"),
            instrument(256 * 501 + 2, "CASHFUT", exchange="NFO", segment="NFO-FUT", kind="FUT"),
            instrument(CLOSED_BOND, "NOWHERE", exchange="MOON", segment="MOON"),
        ),
    )


def at(clock: str, session: date = DAY) -> int:
    """Return seconds since the epoch of HH:MM:SS."""
    hour, minute, second = (int(part) for part in clock.split(":"))
    return int(datetime(session.year, session.month, session.day, hour, minute, second, tzinfo=IST).timestamp())


def tick(
    token: int, price: float, volume: int = 0, time: int | None = None, mode: Mode = Mode.FULL, **more: Any
) -> Any:
    """Return one row of TICK; a time of None is none."""
    row = np.zeros(1, TICK)
    row["token"], row["segment"], row["mode"] = token, token & 0xFF, int(mode)
    row["is_index"] = token & 0xFF == 9
    row["last_price"], row["volume"] = price, volume
    row["exchange_time"] = -1 if time is None else time
    row["last_trade_time"] = -1
    for name, value in more.items():
        row[name] = value
    return row


@dataclass
class Feeding:
    """Writes records one after the other; `opened` puts all that a session needs before the first frame."""

    session: date = DAY
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    blobs: dict[str, bytes] = field(default_factory=dict)
    records: list[bytes] = field(default_factory=list)

    def blob(self, sha256: str) -> bytes:
        if sha256 not in self.blobs:
            raise MissingBlob(f"no content {sha256}")
        return self.blobs[sha256]

    def put(self, content: bytes) -> str:
        name = content_hash(content)
        self.blobs[name] = content
        return name

    def raw(self, kind: int, body: bytes, received_ns: int, socket: int = 0) -> None:
        self.records.append(encode_record(len(self.records) + 1, received_ns, kind, body, socket))

    def control(
        self, kind: ControlType, received_ns: int, content: bytes | None = None, socket: int = 0, **fields: Any
    ) -> None:
        if content is not None:
            fields["sha256"] = self.put(content)
        self.raw(RecordKind.CONTROL, encode_control(kind, **fields), received_ns, socket)

    def frame(self, received: float, *ticks: Any, tail: bytes = b"") -> None:
        body = encode_frame(np.concatenate(ticks)) if ticks else b""
        self.raw(RecordKind.FRAME, body + tail, int(received * NS))

    def beat(self, received: float) -> None:
        self.raw(RecordKind.FRAME, b"\x00", int(received * NS))

    def opened(
        self,
        tokens: Sequence[int] = (CASH, OTHER, INDEX, CRUDE),
        at_clock: str = "08:55:00",
        contents: Sequence[tuple[ControlType, bytes]] = (),
    ) -> "Feeding":
        now = at(at_clock, self.session) * NS
        self.control(ControlType.SESSION_OPENED, now, session=self.session.isoformat())
        self.control(ControlType.SETTINGS, now, orjson.dumps(self.settings))
        self.control(ControlType.SESSION_TABLE, now, encode_hours(load_session_table(), self.session))
        self.control(ControlType.INSTRUMENTS, now, to_block(instruments(self.session)))
        for kind, content in contents:
            self.control(kind, now, content)
        self.subscribe(tokens, now)
        return self

    def subscribe(self, tokens: Sequence[int], received_ns: int, socket: int = 0) -> None:
        self.control(ControlType.SUBSCRIBED, received_ns, orjson.dumps(list(tokens)), socket=socket)

    def closed(self, received: float) -> "Feeding":
        self.control(ControlType.SESSION_CLOSED, int(received * NS))
        return self

    def batch(self, first: int = 0, end: int | None = None) -> RecordBatch:
        return scan_records(b"".join(self.records[first:end])).records

    def run(self, cuts: Sequence[int] = (), between: Callable[[SessionPass], SessionPass] | None = None) -> "Result":
        """Feed everything, in batches that end at `cuts`, `between` applied to the pass between two of them."""
        state = SessionPass(self.session, self.blob)
        parts = []
        edges = [0, *sorted(cuts), len(self.records)]
        for first, end in pairwise(edges):
            parts.append(state.feed(self.batch(first, end)))
            if between is not None:
                state = between(state)
        return Result(state, parts)

    def restored(self, state: SessionPass) -> SessionPass:
        return SessionPass.restore(state.save(), self.blob)


class Result:
    """What a run gave."""

    def __init__(self, state: SessionPass, parts: Sequence[Any]) -> None:
        self.state = state
        self.bars = np.concatenate([part.bars for part in parts])
        self.indicators = np.concatenate([part.indicators for part in parts])
        self.signals = np.concatenate([part.signals for part in parts])
        self.entries = {name: [e for part in parts for e in part.entries[name]] for name in parts[0].entries}
        self.counters = state.counters

    def of(self, token: int, interval: int = 1) -> Any:
        return self.bars[(self.bars["token"] == token) & (self.bars["interval"] == interval)]

    def last(self, token: int, interval: int = 1) -> dict[int, Any]:
        """Return the latest revision of each bar by its start."""
        return {int(bar["start"]): bar for bar in self.of(token, interval)}
