from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import decode_block, encode_block
from trading_platform.wire.candle_block import Candle, CandleBlock, Window

SESSION = date(2026, 7, 31)
TOKENS, SECONDS = st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1)
VALUES = st.floats(allow_nan=False)
WINDOWS = st.lists(st.builds(Window, TOKENS, SECONDS, SECONDS), max_size=4)
CANDLES = st.lists(st.builds(Candle, TOKENS, SECONDS, VALUES, VALUES, VALUES, VALUES, VALUES), max_size=4)


@settings(deadline=None)
@given(WINDOWS, CANDLES)
def test_what_is_written_is_read(windows: list[Window], candles: list[Candle]) -> None:
    content = CandleBlock.of(SESSION, windows, candles).encode()
    read = CandleBlock.decode(content)
    assert (read.session, list(read.asked()), list(read.given())) == (SESSION, windows, candles)
    assert read.encode() == content


def test_what_is_unknown_stays_unknown() -> None:
    nan = float("nan")
    (read,) = CandleBlock.decode(CandleBlock.of(SESSION, [], [Candle(1, 2, nan, 3.0, 4.0, nan, 5.0)]).encode()).given()
    assert np.isnan([read.open, read.close]).all()
    assert read[3:5] == (3.0, 4.0)


def changed(**arrays: np.ndarray | None) -> bytes:
    block = decode_block(CandleBlock.of(SESSION, [Window(1, 2, 3)], []).encode(), "minute_candles", 1)
    kept = {name: array for name, array in {**block.arrays, **arrays}.items() if array is not None}
    return encode_block("minute_candles", 1, block.meta, kept)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        encode_block("minute_candles", 2, {"session": "2026-07-31"}, {}),
        encode_block("minute_candles", 1, {"session": "2026-07-31"}, {}),
        encode_block("minute_candles", 1, {"session": 5}, {}),
        encode_block("minute_candles", 1, {}, {}),
        changed(window_token=None),
        changed(window_token=np.zeros(2, "<u4")),
        changed(window_token=np.zeros(1, "<i8")),
        changed(window_begin=np.zeros((1, 1), "<i8")),
        changed(candle_open=np.zeros((0, 1), "<f8")),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(BlockFormatError):
        CandleBlock.decode(content)
