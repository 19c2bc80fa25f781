"""Write the instruments of a day as one packed block: what a journal keeps and a replay reads them from."""

import math
from collections.abc import Sequence
from datetime import date
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.errors import BlockFormatError, InstrumentError
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.wire.blocks import Block, decode_block, encode_block

KIND = "instruments"
VERSION = 1

_COLUMNS = ("name", "expiry", "strike", "tick_size", "lot_size", "instrument_type", "segment", "exchange")
"""Columns with few distinct values: a list of those in the header, and a number into it per row."""


def to_block(day: InstrumentDay) -> bytes:
    """Write a day; the same instruments in the same order always give the same bytes."""
    try:
        return _encode(day)
    except (OverflowError, TypeError, ValueError) as error:
        raise BlockFormatError(f"an instrument of {day.session} does not fit into a block: {error}") from error


def _encode(day: InstrumentDay) -> bytes:
    symbols = [one.tradingsymbol.encode() for one in day.instruments]
    arrays: dict[str, NDArray[Any]] = {
        "token": np.array([one.token for one in day.instruments], dtype="<u4"),
        "exchange_token": np.array([one.exchange_token for one in day.instruments], dtype="<u4"),
        "symbol_bytes": np.array([len(symbol) for symbol in symbols], dtype="<u4"),
        "symbols": np.frombuffer(b"".join(symbols), dtype="|u1"),
    }
    meta: dict[str, Any] = {"session": day.session.isoformat(), "values": {}}
    for column in _COLUMNS:
        codes, values = _distinct([getattr(one, column) for one in day.instruments])
        arrays[column] = codes
        meta["values"][column] = values
    return encode_block(KIND, VERSION, meta, arrays)


def from_block(block: bytes) -> InstrumentDay:
    """Read a day back; raise BlockFormatError for anything that `to_block` does not write."""
    read = decode_block(block, KIND, VERSION)
    try:
        session = date.fromisoformat(read.meta["session"])
        columns = [_values(read, column) for column in _COLUMNS]
        rows = zip(_numbers(read, "token"), _numbers(read, "exchange_token"), _symbols(read), *columns, strict=True)
        return InstrumentDay(session, tuple(Instrument(*row) for row in rows))
    except (LookupError, TypeError, ValueError, InstrumentError) as error:
        raise BlockFormatError(f"this block does not hold the instruments of a day: {error}") from error


def _distinct(values: Sequence[Any]) -> tuple[NDArray[Any], list[Any]]:
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    if any(isinstance(value, float) and not math.isfinite(value) for value in numbers):
        raise ValueError("a strike or tick size is no number")
    narrowest = next(dtype for dtype in ("|u1", "<u2", "<u4") if len(numbers) <= np.iinfo(dtype).max)
    return np.array(codes, dtype=narrowest), list(numbers)


def _values(read: Block, column: str) -> list[Any]:
    values = read.meta["values"][column]
    if column == "expiry":
        values = [None if text is None else date.fromisoformat(text) for text in values]
    return [values[code] for code in _numbers(read, column)]


def _numbers(read: Block, name: str) -> list[int]:
    array = read.arrays[name]
    if array.ndim != 1 or array.dtype.kind != "u":
        raise BlockFormatError(f"array {name} is no list of unsigned numbers")
    numbers: list[int] = array.tolist()
    return numbers


def _symbols(read: Block) -> list[str]:
    text = read.arrays["symbols"].tobytes()
    ends = list(accumulate(_numbers(read, "symbol_bytes"), initial=0))
    if ends[-1] != len(text):
        raise BlockFormatError(f"symbols have {len(text)} bytes, their lengths say otherwise")
    return [text[start:end].decode() for start, end in pairwise(ends)]
