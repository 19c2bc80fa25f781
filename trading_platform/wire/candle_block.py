"""One-minute candles that were fetched for gaps, and the windows that were asked for: content of a `candles` record.

A minute of a window without a candle is one in which, by the exchange's word, nothing was traded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import decode_block, encode_block

KIND, VERSION = "minute_candles", 1

WINDOW = np.dtype([("token", "<u4"), ("begin", "<i8"), ("end", "<i8")])
"""What was asked for: from `begin` up to but not including `end`, seconds since the epoch."""

CANDLE = np.dtype(
    [
        ("token", "<u4"),
        ("start", "<i8"),  # seconds since the epoch
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
    ]
)


class Window(NamedTuple):
    """One row of `windows`."""

    token: int
    begin: int
    end: int


class Candle(NamedTuple):
    """One row of `candles`."""

    token: int
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, eq=False)
class CandleBlock:
    """What was asked for and what came, in the order in which it came; nothing is judged here."""

    session: date
    windows: NDArray[np.void]
    candles: NDArray[np.void]

    @classmethod
    def of(cls, session: date, windows: Sequence[Window], candles: Sequence[Candle]) -> "CandleBlock":
        """Return the block of these rows."""
        return cls(session, np.array(list(windows), WINDOW), np.array(list(candles), CANDLE))

    def encode(self) -> bytes:
        """Write the block; its sha256 names it in the journal."""
        arrays: dict[str, NDArray[Any]] = {}
        for prefix, rows in (("window", self.windows), ("candle", self.candles)):
            arrays |= {f"{prefix}_{name}": np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()}
        return encode_block(KIND, VERSION, {"session": self.session.isoformat()}, arrays)

    @classmethod
    def decode(cls, content: bytes) -> "CandleBlock":
        """Read a block; raise BlockFormatError for any other content."""
        block = decode_block(content, KIND, VERSION)
        try:
            session = date.fromisoformat(block.meta["session"])
            rows = [_rows(block.arrays, *each) for each in (("window", WINDOW), ("candle", CANDLE))]
        except (KeyError, TypeError, ValueError) as error:
            raise BlockFormatError(f"this block does not hold candles of a session: {error!r}") from error
        return cls(session, *rows)

    def asked(self) -> Iterator[Window]:
        """Return the windows one by one."""
        return (Window(*row) for row in self.windows.tolist())

    def given(self) -> Iterator[Candle]:
        """Return the candles one by one."""
        return (Candle(*row) for row in self.candles.tolist())


def _rows(arrays: dict[str, NDArray[Any]], prefix: str, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    columns = {name: arrays[f"{prefix}_{name}"] for name in dtype.names or ()}
    count = {column.shape for column in columns.values()}
    if len(count) != 1 or len(next(iter(count))) != 1:
        raise BlockFormatError(f"the columns of {prefix} differ in shape: {sorted(count)}")
    if any(column.dtype != dtype[name] for name, column in columns.items()):
        raise BlockFormatError(f"the columns of {prefix} have other types than {dtype}")
    rows = np.zeros(count.pop(), dtype)
    for name, column in columns.items():
        rows[name] = column
    return rows
