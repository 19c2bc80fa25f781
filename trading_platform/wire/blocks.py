"""Self-describing blocks of named arrays: baselines, seeds, instrument maps and state files are written like this.

Layout: magic, length of the header, JSON header (kind, version, meta, arrays), then each array, aligned to 8 bytes.
The same content always gives the same bytes, so that its sha256 can name it.
"""

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.errors import BlockFormatError

_MAGIC = b"TPB1"
_PREFIX = struct.Struct("<4sI")
_ALIGN = 8
_TYPES = {"<u8", "<i8", "<u4", "<i4", "<u2", "<i2", "|u1", "|i1", "<f8", "<f4"}


@dataclass(frozen=True, slots=True)
class Block:
    """A kind, a version, a few facts, and arrays by name."""

    kind: str
    version: int
    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def encode_block(kind: str, version: int, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write a block; arrays must be numeric and little-endian, strings belong in `meta`."""
    described = [{"name": name, "dtype": array.dtype.str, "shape": list(array.shape)} for name, array in arrays.items()]
    for entry in described:
        if entry["dtype"] not in _TYPES:
            raise BlockFormatError(f"array {entry['name']} has type {entry['dtype']}, which blocks do not hold")
    header = orjson.dumps(
        {"kind": kind, "version": version, "meta": dict(meta), "arrays": described}, option=orjson.OPT_SORT_KEYS
    )
    header += b" " * (-(len(header) + _PREFIX.size) % _ALIGN)
    parts: list[bytes | memoryview] = [_PREFIX.pack(_MAGIC, len(header)), header]
    for array in arrays.values():
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)  # copied once, by the join
        parts += [raw.data, b"\0" * (-raw.size % _ALIGN)]
    return b"".join(parts)


def decode_block(block: bytes, kind: str, *versions: int) -> Block:
    """Read a block of this kind and one of these versions; raise BlockFormatError for anything else.

    Arrays are read-only views.
    """
    header, offset = _header(block)
    version = header.get("version")
    if header.get("kind") != kind or version not in versions:
        wanted = " or ".join(map(str, versions))
        raise BlockFormatError(f"expected a {kind} block of version {wanted}, found {header.get('kind')!r} {version!r}")
    arrays: dict[str, NDArray[Any]] = {}
    for entry in header["arrays"]:
        arrays[entry["name"]], offset = _array(block, entry, offset)
    if offset != len(block):
        raise BlockFormatError(f"{kind} block has {len(block)} bytes, its header describes {offset}")
    return Block(kind, version, header["meta"], arrays)


def content_hash(block: bytes) -> str:
    """Return the sha256 that names this content (hexadecimal)."""
    return hashlib.sha256(block).hexdigest()


def version_number(sha256: str) -> int:
    """Return the first 64 bits of a content hash, the form in which rows carry the version they used."""
    return int(sha256[:16], 16)


def _header(block: bytes) -> tuple[dict[str, Any], int]:
    if len(block) < _PREFIX.size or block[:4] != _MAGIC:
        raise BlockFormatError(f"not a packed block: begins with {block[:8]!r}")
    size = _PREFIX.unpack_from(block)[1]
    try:
        header = orjson.loads(block[_PREFIX.size : _PREFIX.size + size])
    except orjson.JSONDecodeError as error:
        raise BlockFormatError(f"the header of a packed block is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("meta"), dict):
        raise BlockFormatError("the header of a packed block lacks its meta")
    arrays = header.get("arrays")
    if not isinstance(arrays, list) or not all(_is_array_entry(entry) for entry in arrays):
        raise BlockFormatError("the header of a packed block lacks a usable list of arrays")
    if len({entry["name"] for entry in arrays}) != len(arrays):
        raise BlockFormatError("the header of a packed block names an array twice")
    return header, _PREFIX.size + size


def _is_array_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    dtype, shape = entry.get("dtype"), entry.get("shape")
    known = isinstance(dtype, str) and dtype in _TYPES
    # a bool is an int to isinstance
    return known and isinstance(shape, list) and all(type(length) is int and length >= 0 for length in shape)


def _array(block: bytes, entry: dict[str, Any], offset: int) -> tuple[NDArray[Any], int]:
    dtype = np.dtype(entry["dtype"])
    count = math.prod(entry["shape"])
    size = count * dtype.itemsize
    if offset + size > len(block):
        raise BlockFormatError(f"array {entry['name']!r} reaches beyond the end of its block")
    try:
        array = np.frombuffer(block, dtype=dtype, count=count, offset=offset).reshape(entry["shape"])
    except ValueError as error:
        # too many dimensions, or empty with one that no memory could hold
        raise BlockFormatError(f"array {entry['name']!r} has a shape that numpy refuses: {error}") from error
    return array, offset + size + (-size % _ALIGN)
