"""How every stored row is written down: one packed layout per kind of row, each with a schema number and a version.

Rows are little-endian numpy records. NaN means unknown in floating columns, NULL_INT in integer columns of decoded
packets; both become null at the edge (`to_columns`). Changing a layout means a new version, and a test that still
reads a file of the last one.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.errors import BlockFormatError

Rows = NDArray[np.void]

NULL_INT = -1
"""Unknown in an integer column of a decoded packet; the protocol's own integers are unsigned, so it cannot collide."""

_MAGIC = b"TPR1"
_HEADER = struct.Struct("<4sHHI")


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind of row: its number on the wire, the version of its layout, and the layout."""

    number: int
    version: int
    name: str
    dtype: np.dtype[np.void]


def _rows(*columns: tuple[str, str]) -> np.dtype[np.void]:
    return np.dtype([(name, kind) for name, kind in columns])


BAR = Schema(
    1,
    1,
    "bar",
    _rows(
        ("record", "<u8"),  # number of the record that closed or revised the bar
        ("token", "<u4"),
        ("interval", "<u2"),  # minutes
        ("kind", "u1"),  # market.sessions.PhaseKind
        ("revision", "u1"),
        ("start", "<i8"),  # seconds since the epoch
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),  # traded quantity; NaN for an index
        ("ticks", "<u4"),
        ("flags", "<u4"),  # BarFlag
    ),
)

INDICATOR = Schema(
    2,
    2,
    "indicator",
    _rows(
        ("record", "<u8"),
        ("token", "<u4"),
        ("interval", "<u2"),
        ("revision", "<u2"),
        ("start", "<i8"),
        ("ema_20", "<f8"),
        ("rsi_14", "<f8"),
        ("atr_14", "<f8"),
        ("vwap", "<f8"),
        ("rvol_bar", "<f8"),
        ("expected_volume", "<f8"),  # the baseline's median for this bar
        ("baseline_version", "<u8"),  # 0: no baseline was loaded
        ("rvol_cum", "<f8"),  # volume fields: calc.relative_volume
        ("tradingview_rvol", "<f8"),
        ("rvol_adjusted", "<f8"),
        ("surprise_z", "<f8"),
        ("eod_projection", "<f8"),
        ("eod_ratio", "<f8"),
        ("participation", "<f8"),
        ("straddle_volume", "<f8"),  # of both legs since the open; NaN for what is no option
        ("volume_flags", "<u4"),  # calc.relative_volume.VolumeFlag
        ("vix_regime", "<u4"),  # calc.relative_volume.VixRegime
    ),
)

SIGNAL = Schema(
    3,
    1,
    "signal",
    _rows(
        ("record", "<u8"),
        ("token", "<u4"),
        ("interval", "<u2"),
        ("pattern", "<u2"),  # number in calc.patterns.catalogue
        ("version", "<u2"),
        ("direction", "<i2"),  # +1 long, -1 short, 0 none
        ("bar_flags", "<u4"),  # quality of the bar that fired it
        ("formed_at", "<i8"),  # start of that bar, seconds
        ("confirmed_at", "<i8"),  # its end, seconds
        ("known_at_ns", "<i8"),  # receive time of the record that closed it: nobody could act before
        ("horizon_seconds", "<i8"),
        ("entry_ref", "<f8"),
        ("stop", "<f8"),
        ("target", "<f8"),
        ("feature_0", "<f8"),  # named by the pattern's declaration
        ("feature_1", "<f8"),
        ("feature_2", "<f8"),
        ("feature_3", "<f8"),
        ("baseline_version", "<u8"),
    ),
)

FEATURE = Schema(
    4,
    2,
    "feature",
    _rows(
        ("token", "<u4"),
        ("flags", "<u4"),  # BarFlag of the running minute
        ("exchange_time", "<i8"),
        ("last_price", "<f8"),
        ("day_volume", "<f8"),
        ("vwap", "<f8"),
        ("ema_20_1m", "<f8"),
        ("rsi_14_1m", "<f8"),
        ("atr_14_1m", "<f8"),
        ("rvol_bar_1m", "<f8"),
        ("ema_20_5m", "<f8"),
        ("rsi_14_5m", "<f8"),
        ("atr_14_5m", "<f8"),
        ("rvol_bar_5m", "<f8"),
        # up to now; seven digits are enough for what changes with each packet, and half as dear
        ("rvol_running_1m", "<f4"),  # of the bar that is open, over what is usual of the time elapsed
        ("rvol_running_5m", "<f4"),
        ("rvol_cum", "<f4"),
        ("eod_projection", "<f4"),
        ("participation", "<f4"),
        ("volume_flags", "<u4"),  # calc.relative_volume.VolumeFlag
    ),
)

LATEST = Schema(
    5,
    1,
    "latest",
    _rows(
        ("record", "<u8"),
        ("token", "<u4"),
        ("mode", "<u4"),  # wire.kite_packets.Mode
        ("received_ns", "<i8"),
        ("exchange_time", "<i8"),
        ("last_price", "<f8"),
        ("last_quantity", "<f8"),
        ("average_price", "<f8"),
        ("day_volume", "<f8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("open_interest", "<f8"),
        ("bid_price", "<f8"),
        ("bid_quantity", "<f8"),
        ("ask_price", "<f8"),
        ("ask_quantity", "<f8"),
    ),
)

SCHEMAS = {schema.number: schema for schema in (BAR, INDICATOR, SIGNAL, FEATURE, LATEST)}


def pack_rows(schema: Schema, rows: Rows) -> bytes:
    """Write rows of `schema` behind a header that names it."""
    if rows.dtype != schema.dtype:
        raise BlockFormatError(f"rows of {rows.dtype} given for schema {schema.name}")
    return pack_head(schema, len(rows)) + rows.tobytes()


def pack_head(schema: Schema, count: int) -> bytes:
    """Return what stands before so many rows of `schema`."""
    return _HEADER.pack(_MAGIC, schema.number, schema.version, count)


def unpack_rows(schema: Schema, block: bytes) -> Rows:
    """Read rows of `schema`; raise BlockFormatError for any other content."""
    if len(block) < _HEADER.size:
        raise BlockFormatError(f"{len(block)} bytes are too short for a block of {schema.name} rows")
    magic, number, version, count = _HEADER.unpack_from(block)
    if magic != _MAGIC or number != schema.number or version != schema.version:
        raise BlockFormatError(f"expected {schema.name} version {schema.version}, found {magic!r} {number}.{version}")
    if len(block) != _HEADER.size + count * schema.dtype.itemsize:
        raise BlockFormatError(f"a block that claims {count} {schema.name} rows has {len(block)} bytes")
    return np.frombuffer(block, dtype=schema.dtype, offset=_HEADER.size)


def row_as_dict(row: Any) -> dict[str, int | float | None]:
    """Return one row by column name, NaN as None."""
    values = zip(row.dtype.names, row.tolist(), strict=True)
    return {name: (None if isinstance(value, float) and math.isnan(value) else value) for name, value in values}
