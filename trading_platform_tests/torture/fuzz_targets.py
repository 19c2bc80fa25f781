"""What is fuzzed: each takes any bytes, knows which errors it may raise, and compares with a plain reading.

With NUMBA_DISABLE_JIT=1 kernels are plain Python, which the fuzzer can follow. They then want rows whose columns are
attributes (a recarray) and buffers that hold whole numbers (bytes).
"""

import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from trading_platform.batch.dump_file import DumpText
from trading_platform.batch.instrument_dump import dump_csv, parse_dump, rows_csv
from trading_platform.cli.feed_inputs import AddedTokens
from trading_platform.errors import BadFileError, BlockFormatError, RecordFormatError
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.wire import record_scan
from trading_platform.wire.blocks import decode_block
from trading_platform.wire.instrument_block import from_block, to_block
from trading_platform.wire.journal_records import RECORD, ControlType, decode_control, encode_control, encode_record
from trading_platform.wire.kite_packets import DAMAGE, TICK, damage_capacity, decode_frame, tick_capacity
from trading_platform.wire.records import SCHEMAS, unpack_rows
from trading_platform.wire.session_block import decode_hours, encode_hours
from trading_platform_tests.torture.altered_json import altered_json
from trading_platform_tests.wire.official_client import KNOWN_LENGTHS, frame
from trading_platform_tests.wire.plain_walk import found, walk

_HEADER = struct.Struct("<4sIIBBHQq")
_STOCK = Instrument(257, 1, "ALPHA", "ALPHA", None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")
_DAY = InstrumentDay(date(2026, 7, 31), (_STOCK,))
_DUMP = dump_csv((_STOCK, _STOCK))
_DUMP_HEADER = _DUMP[: _DUMP.index(b"\n") + 1]
_BLOCK = to_block(_DAY)
_BLOCK_HEADER = struct.unpack_from("<I", _BLOCK, 4)[0]
_HOURS = encode_hours(load_session_table(), _DAY.session)
_CONTROL = encode_control(ControlType.SETTINGS, sha256="0" * 64, from_ns=1)
_UNIVERSE = b'{"add": [257, 5, "257"]}'


def fuzz_frame(data: bytes) -> None:
    """Decode a frame; the good packets and every other byte are those of a plain walk."""
    good, expected = walk(data)
    announced = int.from_bytes(data[:2], "big")
    ticks = np.zeros(min(announced, tick_capacity(len(data))), TICK).view(np.recarray)
    damage = np.zeros(min(announced + 1, damage_capacity(len(data))), DAMAGE).view(np.recarray)
    count, damaged = decode_frame(data, 0, len(data), ticks, 0, damage, 0)  # type: ignore[arg-type]
    assert ticks["token"][:count].tolist() == [int.from_bytes(body[:4], "big") for body in good]
    assert found(damage[:damaged]) == expected


def fuzz_journal(data: bytes) -> None:
    """Scan records behind which, and in which, are any bytes; find the next good one as a plain reading does."""
    pieces = data.split(b"\xff\xfe")
    content = b"".join(
        piece if number % 3 == 2 else encode_record(number + 1, len(piece), 1 + number % 3, piece)
        for number, piece in enumerate(pieces)
    )
    content = content[: len(content) - (data[-1] % 40 if data else 0)]
    good = list(_plain_records(content))
    array = np.frombuffer(content, np.uint8)
    with np.errstate(over="ignore"):
        table = np.zeros(record_scan.count(array, 0), RECORD).view(np.recarray)
        filled, stopped_at, stop = record_scan.scan(array, 0, table, record_scan.CRC_TABLES)
        assert [(int(row.number), int(row.offset), int(row.length)) for row in table[:filled]] == good
        assert (stop == 0) == (stopped_at == len(content)) == (sum(32 + size for _, _, size in good) == len(content))
        following = record_scan.find(array, stopped_at, np.uint64(1), np.uint64(2**64 - 1), record_scan.CRC_TABLES)
    assert following == _plain_find(content, stopped_at)


def fuzz_control(data: bytes) -> None:
    """Read a control record: any bytes, and a good one of which some parts are something else."""
    for content in (data, altered_json(_CONTROL, data)):
        with suppress(RecordFormatError):
            decode_control(content)


def fuzz_block(data: bytes) -> None:
    """Read a block: any bytes, a good one cut and overwritten, and any header before its arrays."""
    header = altered_json(_BLOCK[8 : 8 + _BLOCK_HEADER], data)
    at = data[0] if data else 0
    for content in (
        data,
        _BLOCK[:at] + data + _BLOCK[at + len(data) :],
        b"TPB1" + struct.pack("<I", len(header)) + header + _BLOCK[8 + _BLOCK_HEADER :],
    ):
        with suppress(BlockFormatError):
            decode_block(content, "instruments", 1)
        with suppress(BlockFormatError):
            from_block(content)


def fuzz_rows(data: bytes) -> None:
    """Read rows: any bytes, and any bytes behind a good header."""
    for schema in SCHEMAS.values():
        header = struct.pack("<4sHHI", b"TPR1", schema.number, schema.version, len(data) // schema.dtype.itemsize)
        for content in (data, header + data):
            with suppress(BlockFormatError):
                unpack_rows(schema, content)


def fuzz_hours(data: bytes) -> None:
    """Read opening hours: any bytes, and good ones of which some parts are something else."""
    for content in (data, altered_json(_HOURS, data)):
        with suppress(BlockFormatError):
            decode_hours(content)


def fuzz_dump(data: bytes) -> None:
    """Read a dump: any bytes, and any lines behind a good header; every line stands somewhere."""
    for content in (data, _DUMP_HEADER + data):
        try:
            dump = parse_dump(DumpText(content), name="fuzz")
        except BadFileError:
            continue
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert dump.rows_in + dump.blank_lines == len(lines) - 1 - (not lines[-1])
        with suppress(BadFileError):
            assert parse_dump(DumpText(rows_csv(dump.rows)), name="again").rows.equals(dump.rows)


def fuzz_universe_file(data: bytes) -> None:
    """Read a file that says which tokens are added."""
    for content in (data, altered_json(_UNIVERSE, data)):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            tokens, wrong = AddedTokens(Path(file.name), _DAY).changed()
        assert set(tokens) <= {_STOCK.token}
        assert wrong is None or len(wrong) < 1000


def _plain_records(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, offset and length of the good records from the beginning on."""
    at = 0
    while (record := _plain_record(content, at)) is not None:
        number, size = record
        yield number, at + 32, size
        at += 32 + size


def _plain_record(content: bytes, at: int) -> tuple[int, int] | None:
    if len(content) - at < _HEADER.size:
        return None
    magic, size, crc, _, _, _, number, _ = _HEADER.unpack_from(content, at)
    if magic != b"TPR\x01" or size > 16 * 1024 * 1024 or at + 32 + size > len(content):
        return None
    return (number, size) if zlib.crc32(content[at + 12 : at + 32 + size]) == crc else None


def _plain_find(content: bytes, start: int) -> int:
    return next((at for at in range(start, len(content) - 31) if (r := _plain_record(content, at)) and r[0] >= 1), -1)


TARGETS: dict[str, Callable[[bytes], Any]] = {
    "frame": fuzz_frame,
    "journal": fuzz_journal,
    "control": fuzz_control,
    "block": fuzz_block,
    "rows": fuzz_rows,
    "hours": fuzz_hours,
    "dump": fuzz_dump,
    "universe_file": fuzz_universe_file,
}

SEEDS: dict[str, tuple[bytes, ...]] = {
    "frame": (frame(*map(bytes, KNOWN_LENGTHS)), *(frame(bytes(length)) for length in KNOWN_LENGTHS)),
    "journal": (b"one\xff\xfetwo\xff\xfethree", encode_record(7, 7, 1, b"seven")),
    "control": (_CONTROL,),
    "block": (_BLOCK,),
    "rows": (bytes(max(schema.dtype.itemsize for schema in SCHEMAS.values())),),
    "hours": (_HOURS,),
    "dump": (_DUMP, _DUMP[len(_DUMP_HEADER) :]),
    "universe_file": (_UNIVERSE,),
}
"""Good inputs to begin with."""
