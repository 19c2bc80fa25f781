"""Every decoded packet of a session's journal, in pieces that fit into memory: a full day has hundreds of millions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.ports import RecordSource
from trading_platform.wire.journal_records import RecordBatch, RecordKind
from trading_platform.wire.kite_layout import COUNT_BYTES, DAMAGE, TICK, Mode, Ticks, damage_capacity, tick_capacity
from trading_platform.wire.kite_packets import decode_frame
from trading_platform.wire.records import NULL_INT

READ_BYTES = 4_000_000
_TOKEN_BYTES = 4
PIECE_ROWS = 262_144
"""Rows of one piece: about 90 MB decoded, and as much again as a frame."""

_NAMES = {"volume": "day_volume", "close": "previous_close"}
_PLAIN = (
    "token", "mode", "is_index", "last_price", "last_quantity", "average_price", "volume", "total_buy_quantity",
    "total_sell_quantity", "open", "high", "low", "close", "open_interest",
)  # fmt: skip
_INTEREST = {"open_interest_day_high": "open_interest_high", "open_interest_day_low": "open_interest_low"}
_MOMENTS = {"last_trade_time": "last_trade_ns", "exchange_time": "exchange_ns"}
_DEPTH = {"depth_price": pl.Float64, "depth_quantity": pl.Int64, "depth_orders": pl.Int32}


@dataclass(slots=True)
class PacketCount:
    """What the frames of a journal announce, what of it was decoded, and what damage inside them cost."""

    announced: int = 0
    decoded: int = 0
    lost: int = 0
    frames: int = 0


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Packets of a batch, and of each the row of its record in the table, and its place there."""

    ticks: Ticks
    row: NDArray[np.int64]
    place: NDArray[np.int64]
    table: NDArray[np.void]


def tick_pieces(source: RecordSource, session: date, counted: PacketCount) -> Iterator[pl.DataFrame]:
    """Yield the rows of table `ticks` in order, PIECE_ROWS or somewhat more at a time; `counted` is kept up to date."""
    held: list[pl.DataFrame] = []
    for decoded in _walk(source, counted):
        held.append(_frame(decoded, session))
        if sum(frame.height for frame in held) >= PIECE_ROWS:
            yield pl.concat(held)
            held.clear()
    if held:
        yield pl.concat(held)


def ticks_of(batch: RecordBatch, session: date, token: int) -> pl.DataFrame:
    """Return the rows of table `ticks` of one instrument in a batch; only frames that hold its bytes are decoded."""
    raw, needle = batch.buffer.tobytes(), token.to_bytes(_TOKEN_BYTES, "big")
    rows: set[int] = set()
    at = raw.find(needle)
    while at >= 0:
        rows.add(int(np.searchsorted(batch.table["offset"], at, "right")) - 1)
        at = raw.find(needle, at + 1)
    held = batch.table[sorted(rows - {-1})]
    decoded = _decode(RecordBatch(batch.buffer, held), PacketCount())
    mine = decoded.ticks["token"] == token
    return _frame(_Decoded(decoded.ticks[mine], decoded.row[mine], decoded.place[mine], decoded.table), session)


def count_packets(source: RecordSource) -> PacketCount:
    """Count the packets of a journal without keeping any."""
    counted = PacketCount()
    for _ in _walk(source, counted):
        pass
    return counted


def _walk(source: RecordSource, counted: PacketCount) -> Iterator[_Decoded]:
    position = 0
    while len(batch := source.read(position, READ_BYTES, 0.0)):
        position = batch.last_number
        yield _decode(batch, counted)


def _decode(batch: RecordBatch, counted: PacketCount) -> _Decoded:
    table = batch.table[batch.table["kind"] == int(RecordKind.FRAME)]
    begin, end = table["offset"].tolist(), (table["offset"] + table["length"]).tolist()
    announced = [_announced(batch.buffer, start, stop) for start, stop in zip(begin, end, strict=True)]
    room = sum(min(n, tick_capacity(stop - start)) for n, start, stop in zip(announced, begin, end, strict=True))
    worst = max((min(n + 1, damage_capacity(e - b)) for n, b, e in zip(announced, begin, end, strict=True)), default=0)
    ticks, damage = np.empty(room, TICK), np.empty(worst, DAMAGE)
    ends = np.zeros(len(table) + 1, np.int64)
    for row, (start, stop) in enumerate(zip(begin, end, strict=True)):
        ends[row + 1], damaged = decode_frame(batch.buffer, start, stop, ticks, int(ends[row]), damage, 0)
        counted.lost += int(damage["packets"][:damaged].sum())
    counted.announced += sum(announced)
    counted.decoded += int(ends[-1])
    counted.frames += len(table)
    row_of = np.repeat(np.arange(len(table)), np.diff(ends))
    return _Decoded(ticks[: ends[-1]], row_of, np.arange(ends[-1]) - ends[:-1][row_of], table)


def _announced(buffer: NDArray[np.uint8], start: int, stop: int) -> int:
    if stop - start < COUNT_BYTES:
        return 0
    return int.from_bytes(buffer[start : start + COUNT_BYTES].tobytes(), "big")


def _frame(decoded: _Decoded, session: date) -> pl.DataFrame:
    ticks, table, row = decoded.ticks, decoded.table, decoded.row
    plain = {_NAMES.get(name, name): _column(ticks[name]) for name in _PLAIN}
    has_depth = (ticks["mode"] == int(Mode.FULL)) & (ticks["is_index"] == 0)
    depth = {name: pl.Series(np.ascontiguousarray(ticks[name])).cast(pl.List(kind)) for name, kind in _DEPTH.items()}
    frame = pl.DataFrame(
        {
            "record": table["number"][row].astype(np.int64),
            "place": decoded.place,
            "received_ns": np.ascontiguousarray(table["received_ns"])[row],
            "socket": table["socket"][row].astype(np.int32),
            **plain,
            **{new: _column(ticks[name]) for name, new in _INTEREST.items()},
            **{new: _nanoseconds(ticks[name]) for name, new in _MOMENTS.items()},
            **depth,
            "has_depth": has_depth,
        }
    )
    kept = [pl.when("has_depth").then(pl.col(name)).alias(name) for name in _DEPTH]
    return frame.with_columns(*kept, pl.lit(session).alias("session"), pl.col("is_index").cast(pl.Boolean)).drop(
        "has_depth"
    )


def _column(values: NDArray[np.generic]) -> pl.Series:
    """Return a column with what a packet does not tell as null; floats keep their NaN, which the table makes null."""
    series = pl.Series(np.ascontiguousarray(values))
    is_nullable = series.dtype.is_signed_integer()
    return pl.select(pl.when(series != NULL_INT).then(series)).to_series() if is_nullable else series


def _nanoseconds(seconds: NDArray[np.int64]) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(seconds))
    return pl.select(pl.when(series != NULL_INT).then(series * NS_PER_SECOND)).to_series()
