"""How a journal record is written down: numbered, timed, checksummed bytes; the same in files and in the stream.

A record is a 32-byte little-endian header and a body: u4 magic, u4 length of the body, u4 CRC-32 (zlib's) of the
header after this field and the body, u1 kind, u1 socket, u2 zero, u8 number, i8 receive time (ns since the epoch).
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.errors import RecordFormatError
from trading_platform.wire.record_scan import CRC_TABLES, checksum, count, find, scan

MAX_BODY = 16 * 1024 * 1024
"""Longest body in bytes; a header that claims more is damage."""

HEADER_BYTES = 32

RECORD = np.dtype(
    [
        ("number", "<u8"),
        ("received_ns", "<i8"),
        ("kind", "u1"),
        ("socket", "u1"),
        ("offset", "<i8"),  # of the body in the buffer; the header stands before it
        ("length", "<i8"),
    ],
    align=True,
)
"""One row of a record table."""

ANY_NUMBER = 2**64 - 1

_MAGIC = b"TPR\x01"
_HEADER = struct.Struct("<4sIIBBHQq")
_NUMBER_AT = 16
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHECKED = struct.Struct("<BBHQq")


class RecordKind(IntEnum):
    """What a record holds."""

    FRAME = 1  # a binary websocket payload, heartbeats of one byte included
    TEXT = 2
    CONTROL = 3


class ControlType(StrEnum):
    """What a control record says."""

    SESSION_OPENED = "session_opened"
    SETTINGS = "settings"
    SESSION_TABLE = "session_table"
    INSTRUMENTS = "instruments"
    SEEDS = "seeds"
    BASELINE = "baseline"
    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    DISCONNECTED = "disconnected"
    GAP = "gap"
    CANDLES = "candles"  # of the exchange, fetched for minutes that gaps touched
    CLOCK_STEP = "clock_step"
    SESSION_CLOSED = "session_closed"
    EXTERNAL_SIGNAL = "external_signal"
    SHARD_VALUE = "shard_value"


CONTENT_TYPES = frozenset(
    {
        ControlType.SETTINGS,
        ControlType.SESSION_TABLE,
        ControlType.INSTRUMENTS,
        ControlType.SEEDS,
        ControlType.BASELINE,
        ControlType.CANDLES,
    }
)
"""Those that name content; they carry its `sha256`."""


class ScanStop(IntEnum):
    """Why a scan went no further."""

    END = 0  # the buffer ends with a whole record
    INCOMPLETE = 1  # the last record is longer than what is left of the buffer
    BAD_MAGIC = 2
    BAD_LENGTH = 3
    BAD_CRC = 4


@dataclass(frozen=True, slots=True, eq=False)
class RecordBatch:
    """Whole, checked records in one read-only buffer, and a table of where they are."""

    buffer: NDArray[np.uint8]
    table: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.table)

    def body(self, row: int) -> bytes:
        """Return the body of the record in this row of the table."""
        start = int(self.table["offset"][row])
        return self.buffer[start : start + int(self.table["length"][row])].tobytes()

    def encoded(self, row: int) -> bytes:
        """Return the record in this row as it is written down, header included."""
        start = int(self.table["offset"][row])
        return self.buffer[start - HEADER_BYTES : start + int(self.table["length"][row])].tobytes()

    @property
    def first_number(self) -> int:
        """Return the number of the first record (the batch must not be empty)."""
        return int(self.table["number"][0])

    @property
    def last_number(self) -> int:
        """Return the number of the last record (the batch must not be empty)."""
        return int(self.table["number"][-1])


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """The good records of a buffer from some offset on, the offset that ended them, and why."""

    records: RecordBatch
    stopped_at: int
    stop: ScanStop

    @property
    def table(self) -> NDArray[np.void]:
        """Return the table of the good records."""
        return self.records.table


@dataclass(frozen=True, slots=True)
class Control:
    """A control record's type and its other fields."""

    type: ControlType
    fields: Mapping[str, Any]

    @property
    def sha256(self) -> str | None:
        """Return the hash of the content that this record names, None when it names none."""
        return self.fields.get("sha256")


def record_number(buffer: bytes | memoryview, offset: int) -> int:
    """Return the number of the record whose header stands at `offset`."""
    return int.from_bytes(buffer[offset + _NUMBER_AT : offset + _NUMBER_AT + 8], "little")


def empty_batch() -> RecordBatch:
    """Return a batch without records."""
    return RecordBatch(_read_only(b""), np.zeros(0, RECORD))


def encode_record(number: int, received_ns: int, kind: int, body: bytes, socket: int = 0) -> bytes:
    """Write one record; raise RecordFormatError for a body longer than MAX_BODY."""
    if len(body) > MAX_BODY:
        raise RecordFormatError(f"a body of {len(body)} bytes is longer than a record holds ({MAX_BODY})")
    crc = zlib.crc32(body, zlib.crc32(_CHECKED.pack(kind, socket, 0, number, received_ns)))
    return _HEADER.pack(_MAGIC, len(body), crc, kind, socket, 0, number, received_ns) + body


def scan_records(buffer: bytes | memoryview | NDArray[np.uint8], *, start: int = 0) -> ScanResult:
    """Check records from `start` on until the first that is not good; numbers are reported, not judged."""
    data = _read_only(buffer)
    table = np.zeros(count(data, start), RECORD)
    filled, stopped_at, stop = scan(data, start, table, CRC_TABLES)
    return ScanResult(RecordBatch(data, table[:filled]), int(stopped_at), ScanStop(stop))


def find_record(
    buffer: bytes | memoryview | NDArray[np.uint8], *, start: int, least: int = 1, most: int = ANY_NUMBER
) -> int | None:
    """Return the offset of the next good record from `start` on whose number lies in [least, most], or None."""
    found = int(find(_read_only(buffer), start, np.uint64(least), np.uint64(most), CRC_TABLES))
    return None if found < 0 else found


def crc32(data: NDArray[np.uint8]) -> int:
    """Return zlib's CRC-32 by the compiled function that checks records."""
    return int(checksum(_read_only(data), 0, len(data), CRC_TABLES))


def encode_control(control: ControlType, /, **fields: Any) -> bytes:
    """Write a control body; raise RecordFormatError for fields that JSON cannot hold or a missing `sha256`."""
    _check_hash(control, fields)
    if "type" in fields:
        raise RecordFormatError(f"a {control} record cannot have a field named type")
    try:
        return orjson.dumps({"type": str(control), **fields}, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise RecordFormatError(f"the fields of a {control} record are not JSON: {error}") from error


def decode_control(body: bytes | memoryview) -> Control:
    """Read a control body; raise RecordFormatError for any other content."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RecordFormatError(f"a control record is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise RecordFormatError(f"a control record is a JSON {type(parsed).__name__}, not an object")
    name = parsed.pop("type", None)
    if name not in ControlType.__members__.values():
        raise RecordFormatError(
            f"unknown type of control record: {str(name)[:60]!r}; a newer version may have written it"
        )
    control = ControlType(name)
    _check_hash(control, parsed)
    return Control(control, parsed)


def _read_only(buffer: bytes | memoryview | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """View as read-only bytes always, so that kernels are compiled for one type only."""
    view: NDArray[np.uint8] = np.frombuffer(buffer, np.uint8) if len(buffer) else np.zeros(0, np.uint8)
    view = view.view()
    view.setflags(write=False)
    return view


def _check_hash(control: ControlType, fields: Mapping[str, Any]) -> None:
    sha256 = fields.get("sha256")
    if sha256 is None and control not in CONTENT_TYPES:
        return
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise RecordFormatError(f"a {control} record must carry the sha256 of its content, found {str(sha256)[:70]!r}")
