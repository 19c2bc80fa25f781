from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.batch.instrument_dump import day_of, read_dump
from trading_platform.errors import BlockFormatError
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.wire.blocks import decode_block, encode_block
from trading_platform.wire.instrument_block import KIND, VERSION, from_block, to_block

DAY = date(2026, 7, 1)
INFY = Instrument(408065, 1594, "INFY", "INFOSYS", None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")
OPTION = Instrument(
    15108866, 59019, "ABB26JUL3050CE", "ABB", date(2026, 7, 28), 3050.5, 0.05, 250, "CE", "NFO-OPT", "NFO"
)

words = st.text(st.characters(codec="utf-8"), max_size=10)
instruments = st.builds(
    Instrument,
    token=st.integers(0, 2**32 - 1),
    exchange_token=st.integers(0, 2**32 - 1),
    tradingsymbol=words,
    name=words,
    expiry=st.none() | st.dates(),
    strike=st.floats(allow_nan=False, allow_infinity=False),
    tick_size=st.floats(allow_nan=False, allow_infinity=False),
    lot_size=st.integers(0, 2**63 - 1),
    instrument_type=words,
    segment=words,
    exchange=words,
)
days = st.builds(
    InstrumentDay, st.dates(), st.lists(instruments, max_size=12, unique_by=lambda one: one.token).map(tuple)
)


@settings(max_examples=60)
@given(days)
def test_a_day_reads_back_equal(day: InstrumentDay) -> None:
    block = to_block(day)
    assert from_block(block) == day
    assert to_block(from_block(block)) == block


def test_order_and_session_are_kept() -> None:
    read = from_block(to_block(InstrumentDay(DAY, (OPTION, INFY))))
    assert (read.session, read.instruments) == (DAY, (OPTION, INFY))
    assert isinstance(read.instruments[0].lot_size, int)


def test_a_whole_market_takes_a_few_megabytes() -> None:
    rows = tuple(
        replace(
            OPTION,
            token=at * 256 + 2,
            exchange_token=at,
            tradingsymbol=f"NAME{at % 200}26JUL{at}CE",
            name=f"NAME{at % 200}",
            strike=float(at % 4000),
            lot_size=at % 300,
        )
        for at in range(120_000)
    )
    day = InstrumentDay(DAY, rows)
    block = to_block(day)
    read = from_block(block)
    assert read == day
    assert len(block) < 6_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": 2**32},
        {"exchange_token": -1},
        {"strike": float("nan")},
        {"tick_size": float("inf")},
        {"name": "\ud800"},
    ],
)
def test_what_a_block_cannot_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BlockFormatError):
        to_block(InstrumentDay(DAY, (replace(INFY, **wrong),)))  # type: ignore[arg-type]


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_shortened_block_is_refused(at: int) -> None:
    block = to_block(InstrumentDay(DAY, (INFY, OPTION)))
    with pytest.raises(BlockFormatError):
        from_block(block[: len(block) - 1 - at * len(block) // 40])


def rewritten(meta: dict[str, object] | None = None, **arrays: np.ndarray) -> bytes:  # type: ignore[type-arg]
    good = decode_block(to_block(InstrumentDay(DAY, (INFY, OPTION))), KIND, VERSION)
    return encode_block(KIND, VERSION, {**good.meta, **(meta or {})}, {**good.arrays, **arrays})


@pytest.mark.parametrize(
    "block",
    [
        rewritten(name=np.array([0, 9], dtype="|u1")),
        rewritten(name=np.array([0, -1], dtype="|i1")),
        rewritten(name=np.array([0], dtype="|u1")),
        rewritten(token=np.array([1.0, 2.0])),
        rewritten(token=np.array([5, 5], dtype="<u4")),
        rewritten(token=np.array([[5, 6]], dtype="<u4")),
        rewritten(symbol_bytes=np.array([4, 99], dtype="<u4")),
        rewritten(symbols=np.full(18, 0xFF, dtype="|u1")),
        rewritten({"session": "yesterday"}),
        rewritten({"session": None}),
        rewritten({"values": {}}),
        rewritten({"values": None}),
        encode_block(KIND, VERSION, {}, {}),
        encode_block("baselines", VERSION, {}, {}),
        encode_block(KIND, VERSION + 1, {}, {}),
        b"",
    ],
)
def test_a_block_that_is_no_day_is_refused(block: bytes) -> None:
    with pytest.raises(BlockFormatError):
        from_block(block)


REAL = Path(__file__).parents[2].parent / "shared" / "data" / "instruments"


def test_the_dump_of_a_real_day_reads_back_equal() -> None:
    for path in REAL.glob("kite_nfo_2017*.csv.gz"):
        day = day_of(date(2017, 1, 2), read_dump(path).rows)
        block = to_block(day)
        assert len(day) == 47_850
        assert len(block) < 3_000_000
        assert from_block(block) == day
