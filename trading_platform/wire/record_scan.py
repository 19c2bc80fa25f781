"""The compiled scan of journal records: walks headers, compares checksums, finds the next good record after damage."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.jit import kernel

Bytes = NDArray[np.uint8]
Tables = NDArray[np.uint32]


def _crc_tables() -> NDArray[np.uint32]:
    """Make the tables of the slicing-by-8 method for the reflected polynomial 0xEDB88320."""
    tables = np.zeros((8, 256), np.uint32)
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        tables[0, byte] = value
    for step in range(1, 8):
        for byte in range(256):
            value = int(tables[step - 1, byte])
            tables[step, byte] = (value >> 8) ^ int(tables[0, value & 0xFF])
    return tables


CRC_TABLES = _crc_tables()


@kernel
def checksum(data: Bytes, start: int, end: int, tables: Tables) -> Any:
    """Return zlib's CRC-32 of data[start:end]."""
    crc = np.uint32(0xFFFFFFFF)
    low = np.uint32(0xFF)
    at = start
    while at + 8 <= end:
        crc ^= _u4(data, at)
        crc = (
            tables[7, crc & low]
            ^ tables[6, (crc >> np.uint32(8)) & low]
            ^ tables[5, (crc >> np.uint32(16)) & low]
            ^ tables[4, crc >> np.uint32(24)]
            ^ tables[3, data[at + 4]]
            ^ tables[2, data[at + 5]]
            ^ tables[1, data[at + 6]]
            ^ tables[0, data[at + 7]]
        )
        at += 8
    while at < end:
        crc = (crc >> np.uint32(8)) ^ tables[0, (crc ^ np.uint32(data[at])) & low]
        at += 1
    return crc ^ np.uint32(0xFFFFFFFF)


@kernel
def _u4(data: Bytes, at: int) -> Any:
    return (
        np.uint32(data[at])
        | (np.uint32(data[at + 1]) << np.uint32(8))
        | (np.uint32(data[at + 2]) << np.uint32(16))
        | (np.uint32(data[at + 3]) << np.uint32(24))
    )


@kernel
def _u8(data: Bytes, at: int) -> Any:
    return np.uint64(_u4(data, at)) | (np.uint64(_u4(data, at + 4)) << np.uint64(32))


@kernel
def _header_fault(data: Bytes, at: int) -> int:
    """Judge what is there of a header: END when a whole record fits, else the ScanStop that applies."""
    left = len(data) - at
    for index in range(min(left, 4)):
        if data[at + index] != (84, 80, 82, 1)[index]:  # the magic
            return 2
    if left < 32:
        return 1
    length: Any = np.int64(_u4(data, at + 4))
    if length > 16777216:
        return 3
    return 1 if left < 32 + length else 0


@kernel
def count(data: Bytes, start: int) -> int:
    """Count the records from `start` on by their headers alone: the capacity that `scan` needs."""
    found = 0
    at = start
    while at < len(data) and _header_fault(data, at) == 0:
        at += 32 + int(np.int64(_u4(data, at + 4)))
        found += 1
    return found


@kernel
def _good(data: Bytes, at: int, tables: Tables) -> Any:
    """Compare the checksum of a record that fits."""
    end: Any = at + 32 + np.int64(_u4(data, at + 4))
    return np.uint32(checksum(data, at + 12, end, tables)) == np.uint32(_u4(data, at + 8))


@kernel
def scan(data: Bytes, start: int, table: NDArray[np.void], tables: Tables) -> tuple[int, int, int]:
    """Fill the table with good records from `start` on; return how many, where they ended, and the ScanStop."""
    at = start
    filled = 0
    while at < len(data):
        fault = _header_fault(data, at)
        if fault == 0 and not _good(data, at, tables):
            fault = 4
        if fault != 0:
            return filled, at, fault
        length: Any = np.int64(_u4(data, at + 4))
        row = table[filled]
        row.number = _u8(data, at + 16)
        row.received_ns = np.int64(_u8(data, at + 24))
        row.kind = data[at + 12]
        row.socket = data[at + 13]
        row.offset = at + 32
        row.length = length
        filled += 1
        at += 32 + length
    return filled, at, 0


@kernel
def find(data: Bytes, start: int, least: Any, most: Any, tables: Tables) -> int:
    """Return the offset of the next good record whose number lies in [least, most], or -1."""
    for at in range(start, len(data) - 31):
        if data[at] != 84 or _header_fault(data, at) != 0:
            continue
        number = np.uint64(_u8(data, at + 16))
        if least <= number <= most and _good(data, at, tables):
            return at
    return -1
