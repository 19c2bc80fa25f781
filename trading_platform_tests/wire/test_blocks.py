"""Blocks of arrays come back as they were; the same content has the same name; hostile bytes are a named error."""

import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import content_hash, decode_block, encode_block, version_number

TYPES = ("<u8", "<i8", "<u4", "<i4", "<u2", "<i2", "|u1", "|i1", "<f8", "<f4")

arrays = st.dictionaries(
    st.text(max_size=5),
    st.sampled_from(TYPES).flatmap(
        lambda kind: nps.arrays(np.dtype(kind), nps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    ),
    max_size=4,
)
values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=5))
metas = st.dictionaries(st.text(max_size=5), st.one_of(values, st.lists(values, max_size=3)), max_size=4)


def block_of(header: Any, body: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else orjson.dumps(header)
    return struct.pack("<4sI", b"TPB1", len(raw)) + raw + body


def described(*entries: Any, **more: Any) -> bytes:
    return block_of({"kind": "k", "version": 1, "meta": {}, "arrays": list(entries)} | more)


@settings(deadline=None)
@given(metas, arrays)
def test_blocks_come_back_as_they_were(meta: dict[str, Any], given_arrays: dict[str, np.ndarray]) -> None:
    block = decode_block(encode_block("seeds", 3, meta, given_arrays), "seeds", 3)
    assert (block.kind, block.version, block.meta, list(block.arrays)) == ("seeds", 3, meta, list(given_arrays))
    for name, array in given_arrays.items():
        again = block.arrays[name]
        assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_arrays_are_aligned_and_read_only() -> None:
    block = encode_block("k", 1, {"a": "x"}, {"odd": np.arange(3, dtype=np.uint8), "wide": np.arange(2.0)})
    wide = decode_block(block, "k", 1).arrays["wide"]
    assert block.endswith(np.arange(2.0).tobytes())
    assert (len(block) - 16) % 8 == 0
    with pytest.raises(ValueError, match="read-only"):
        wide[0] = 1.0


def test_the_same_content_has_the_same_name() -> None:
    one = encode_block("k", 1, {"a": 1, "b": 2}, {"x": np.arange(6)[::2]})
    two = encode_block("k", 1, {"b": 2, "a": 1}, {"x": np.array([0, 2, 4])})
    assert content_hash(one) == content_hash(two)
    assert content_hash(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert version_number("00000000000001ff" + "a" * 48) == 511


@pytest.mark.parametrize("kind", [">f8", "<c16", "<U3", "|b1", "<M8[s]", "<f2"])
def test_other_types_are_not_written(kind: str) -> None:
    with pytest.raises(BlockFormatError, match="prices"):
        encode_block("k", 1, {}, {"prices": np.zeros(2, kind)})


@pytest.mark.parametrize(("kind", "version"), [("seeds", 1), ("baseline", 2)])
def test_another_kind_or_version_is_refused(kind: str, version: int) -> None:
    with pytest.raises(BlockFormatError, match=r"found 'baseline' 1"):
        decode_block(encode_block("baseline", 1, {}, {}), kind, version)


@given(st.data())
def test_a_cut_or_longer_block_is_refused(data: st.DataObject) -> None:
    block = encode_block("k", 1, {}, {"x": np.arange(5.0), "y": np.arange(3, dtype=np.uint8)})
    cut = data.draw(st.integers(0, len(block) - 1))
    for wrong in (block[:cut], block + b"\0"):
        with pytest.raises(BlockFormatError):
            decode_block(wrong, "k", 1)


ENTRY = {"name": "x", "dtype": "<f8", "shape": [0]}


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"TPB1",
        b"TPB2" + bytes(4),
        block_of(b"{"),
        block_of([]),
        block_of(b"\xff\xfe"),
        block_of({"kind": "k", "version": 1, "meta": {}}),
        block_of({"kind": "k", "version": 1, "arrays": []}),
        described(meta=[]),
        described(meta=None),
        described("x"),
        described(None),
        described(["name", "dtype"]),
        described({"dtype": "<f8", "shape": [0]}),
        described(ENTRY | {"name": 7}),
        described(ENTRY, ENTRY),
        described(ENTRY | {"dtype": "|O"}),
        described(ENTRY | {"dtype": ["<f8"]}),
        described(ENTRY | {"shape": [-1]}),
        described(ENTRY | {"shape": [1.0]}),
        described(ENTRY | {"shape": [True]}),
        described(ENTRY | {"shape": 3}),
        described(ENTRY | {"shape": None}),
        described(ENTRY | {"shape": [2**40, 2**40]}),
        described(ENTRY | {"shape": [0, 2**40, 2**40]}),
        described(ENTRY | {"shape": [0, 2**63]}),
        described(ENTRY | {"shape": [1] * 70 + [0]}),
        described(ENTRY | {"shape": [1]}),
    ],
)
def test_hostile_headers_are_a_named_error(block: bytes) -> None:
    with pytest.raises(BlockFormatError):
        decode_block(block, "k", 1)


any_json = st.recursive(
    st.one_of(values, st.sampled_from(TYPES)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "dtype", "shape", "meta", "arrays", "kind", "version"]), inner),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(any_json, any_json, st.binary(max_size=30))
def test_any_header_is_a_block_or_a_named_error(header: Any, entry: Any, body: bytes) -> None:
    for hostile in (block_of(header, body), described(entry) + body, described({**ENTRY, "shape": entry}) + body, body):
        try:
            block = decode_block(hostile, "k", 1)
        except BlockFormatError:
            continue
        assert isinstance(block.meta, dict)
