"""A small made-up session as the records of a journal: a few names, an index, bars, and signals that do occur."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
import orjson

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS
from trading_platform.calc.indicator_seeds import INTERVALS, SeedBlock, seed_row
from trading_platform.calc.relative_volume import unknown_days
from trading_platform.calc.volume_baseline import BaselineBlock, UsualDay
from trading_platform.market.clock import IST, NS_PER_SECOND
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.ports import FrameSink
from trading_platform.settings import CalculationSettings
from trading_platform.storage.journal import JournalWriter
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
from trading_platform.wire.kite_packets import HEARTBEAT, TICK
from trading_platform.wire.session_block import encode_hours

SESSION = date(2016, 8, 17)
SHARD = "k1"
NAMES = 5
INDEX_TOKEN = 256265
TOKENS = [*((1000 + k) * 256 + 1 for k in range(NAMES)), INDEX_TOKEN]
OPENS = (9, 15)


@dataclass(frozen=True)
class Item:
    """One record before it has a number: a payload, or a control record and its content."""

    received_ns: int
    payload: bytes = b""
    control: ControlType | None = None
    content: bytes | None = None
    fields: tuple[tuple[str, Any], ...] = ()

    @property
    def kind(self) -> RecordKind:
        return RecordKind.FRAME if self.control is None else RecordKind.CONTROL

    @property
    def body(self) -> bytes:
        if self.control is None:
            return self.payload
        named = {} if self.content is None else {"sha256": content_hash(self.content)}
        return encode_control(self.control, **dict(self.fields), **named)

    def hand_to(self, sink: FrameSink) -> int:
        if self.control is None:
            return sink.frame(self.payload, self.received_ns)
        return sink.control(self.control, received_ns=self.received_ns, content=self.content, **dict(self.fields))


@dataclass(frozen=True)
class SessionData:
    """All items of a session; record n is item n - 1."""

    session: date
    items: tuple[Item, ...]

    @cached_property
    def batch(self) -> RecordBatch:
        encoded = (encode_record(n, item.received_ns, item.kind, item.body) for n, item in enumerate(self.items, 1))
        return scan_records(b"".join(encoded)).records

    @cached_property
    def contents(self) -> dict[str, bytes]:
        return {content_hash(item.content): item.content for item in self.items if item.content is not None}

    def __len__(self) -> int:
        return len(self.items)

    def write_to(self, journal: JournalWriter, upto: int | None = None) -> None:
        """Append what the journal does not have yet, up to record `upto`."""
        for item in self.items[journal.last_number : upto]:
            if item.content is not None:
                journal.put_blob(item.content)
            journal.append(item.kind, item.body, item.received_ns)
        journal.flush()


def make_session(seed: int, *, minutes: int = 20, session: date = SESSION, closed: bool = True) -> SessionData:
    """Make `minutes` of trading from the open on; the same seed makes the same bytes."""
    rng = np.random.default_rng(seed)
    opens = int(datetime(session.year, session.month, session.day, *OPENS, tzinfo=IST).timestamp())
    items = [*_opening(rng, session, opens), *_trading(rng, opens, minutes)]
    if closed:
        items.append(Item((opens + minutes * 60 + 20) * NS_PER_SECOND, control=ControlType.SESSION_CLOSED))
    return SessionData(session, tuple(items))


def _opening(rng: np.random.Generator, session: date, opens: int) -> list[Item]:
    settings = CalculationSettings(
        pattern_intervals=(1, 5),
        breakout_bars=3,
        breakout_margin_atr=0.0,
        cross_min_closes=1,
        cross_min_rvol=0.1,
        cooldown_bars=1,
        spike_min_value_inr=0.0,
    )
    contents = [
        (ControlType.SESSION_OPENED, None, (("session", session.isoformat()), ("shard", SHARD))),
        (ControlType.SETTINGS, settings.canonical(), ()),
        (ControlType.SESSION_TABLE, encode_hours(load_session_table(), session), ()),
        (ControlType.INSTRUMENTS, to_block(_instruments(session)), ()),
        (ControlType.SEEDS, _seeds(rng, session), ()),
        (ControlType.BASELINE, _baseline(rng, session), ()),
        (ControlType.CONNECTED, None, ()),
        (ControlType.SUBSCRIBED, orjson.dumps(TOKENS), (("mode", "full"),)),
    ]
    at = (opens - 20) * NS_PER_SECOND
    return [Item(at, control=control, content=content, fields=fields) for control, content, fields in contents]


def _trading(rng: np.random.Generator, opens: int, minutes: int) -> list[Item]:
    prices = 100.0 + 10.0 * np.arange(len(TOKENS))
    volumes = np.zeros(len(TOKENS), dtype=np.int64)
    items: list[Item] = []
    cut = rng.integers(minutes * 20, minutes * 40)
    for second in range(minutes * 60):
        received = (opens + second) * NS_PER_SECOND + 400_000_000
        if second in (cut, cut + 30):
            items += _interruption(received, back=second != cut)
        moved = np.flatnonzero(rng.random(len(TOKENS)) < 0.25)
        if cut <= second < cut + 30 or not len(moved):
            items.append(Item(received, HEARTBEAT))
            continue
        prices[moved] = np.round((prices[moved] + rng.normal(0.0, 0.2, len(moved))) * 20) / 20
        burst = 20 if rng.random() < 0.01 else 1
        volumes[moved] += rng.integers(0, 100 * burst, len(moved))
        # some packets come late, a few so late that their bar has closed
        late = int(rng.choice([0, 0, 0, 0, 1, 4, 12]))
        items.append(Item(received, _frame(moved, prices, volumes, opens + max(0, second - late))))
    return items


def _frame(moved: np.ndarray, prices: np.ndarray, volumes: np.ndarray, exchange_time: int) -> bytes:
    ticks = np.zeros(len(moved), TICK)
    ticks["token"] = np.array(TOKENS, dtype=np.uint32)[moved]
    ticks["segment"] = ticks["token"] & 0xFF
    ticks["is_index"] = ticks["token"] == INDEX_TOKEN
    ticks["mode"] = 3
    ticks["last_price"] = prices[moved]
    ticks["volume"] = np.where(ticks["is_index"] == 1, 0, volumes[moved])
    ticks["exchange_time"] = exchange_time
    return encode_frame(ticks)


def _interruption(received_ns: int, *, back: bool) -> list[Item]:
    if not back:
        return [Item(received_ns, control=ControlType.DISCONNECTED, fields=(("reason", "lost"),))]
    fields = (("mode", "full"),)
    return [
        Item(received_ns, control=ControlType.CONNECTED),
        Item(received_ns, control=ControlType.SUBSCRIBED, content=orjson.dumps(TOKENS), fields=fields),
    ]


def _instruments(session: date) -> InstrumentDay:
    names = tuple(_instrument(token, f"NAME{k}", "NSE") for k, token in enumerate(TOKENS[:-1]))
    return InstrumentDay(session, (*names, _instrument(INDEX_TOKEN, "NIFTY 50", "INDICES")))


def _instrument(token: int, symbol: str, segment: str) -> Instrument:
    return Instrument(
        token=token,
        exchange_token=token // 256,
        tradingsymbol=symbol,
        name=symbol,
        expiry=None,
        strike=0.0,
        tick_size=0.05,
        lot_size=1,
        instrument_type="EQ",
        segment=segment,
        exchange="NSE",
    )


def _seeds(rng: np.random.Generator, session: date) -> bytes:
    states = np.zeros((len(TOKENS), len(INTERVALS), INDICATOR_FIELDS))
    for row in range(len(TOKENS)):
        close = 100.0 + 10.0 * row + np.cumsum(rng.normal(0.0, 0.1, 40))
        states[row, :] = seed_row(close + 0.1, close - 0.1, close)
    return SeedBlock(session, np.array(TOKENS, dtype=np.uint32), states, (date(2016, 8, 16),)).encode()


def _baseline(rng: np.random.Generator, session: date) -> bytes:
    expected = {n: rng.uniform(400.0 * n, 800.0 * n, (len(TOKENS), (6 * 60) // n)) for n in (1, 5)}
    tokens = np.array(TOKENS, dtype=np.uint32)
    by_then = expected[1].cumsum(axis=1)
    day = unknown_days(len(TOKENS))
    day[:] = (2e5, 2e5, 0.0, 1.1, 1e4, 15.0, 0.0)
    usual = UsualDay(by_then, by_then[:, 4::5], day)
    return BaselineBlock(session, tokens, OPENS[0] * 60 + OPENS[1], expected, (date(2016, 8, 16),), usual).encode()
