"""Packed rows come back as they were, and nothing else is taken for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import BlockFormatError
from trading_platform.wire.records import BAR, NULL_INT, SCHEMAS, SIGNAL, Schema, pack_rows, row_as_dict, unpack_rows

schemas = st.sampled_from(list(SCHEMAS.values()))


@st.composite
def packed(draw: st.DrawFn) -> tuple[Schema, np.ndarray]:
    schema = draw(schemas)
    count = draw(st.integers(0, 3))
    raw = draw(st.binary(min_size=schema.dtype.itemsize * count, max_size=schema.dtype.itemsize * count))
    return schema, np.frombuffer(raw, schema.dtype)


@given(packed())
def test_rows_come_back_to_the_byte(given_rows: tuple[Schema, np.ndarray]) -> None:
    schema, rows = given_rows
    again = unpack_rows(schema, pack_rows(schema, rows))
    assert again.dtype == schema.dtype
    assert again.tobytes() == rows.tobytes()


def test_a_block_of_one_signal_to_the_byte() -> None:
    row = np.zeros(1, SIGNAL.dtype)
    row["record"], row["token"], row["direction"] = 258, 408065, -1
    block = pack_rows(SIGNAL, row)
    assert block[:12] == b"TPR1" + b"\x03\x00" + b"\x01\x00" + b"\x01\x00\x00\x00"
    assert block[12:24] == b"\x02\x01" + bytes(6) + b"\x01\x3a\x06\x00"
    assert block[30:32] == b"\xff\xff"


@given(packed(), st.data())
def test_a_block_of_the_wrong_size_is_refused(given_rows: tuple[Schema, np.ndarray], data: st.DataObject) -> None:
    schema, rows = given_rows
    block = pack_rows(schema, rows)
    cut = data.draw(st.integers(0, len(block) - 1))
    for wrong in (block[:cut], block + b"\0"):
        with pytest.raises(BlockFormatError, match=schema.name):
            unpack_rows(schema, wrong)


@given(schemas, st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_named_error(schema: Schema, block: bytes) -> None:
    try:
        rows = unpack_rows(schema, block)
    except BlockFormatError:
        return
    assert pack_rows(schema, rows) == block


@pytest.mark.parametrize(("at", "value"), [(0, b"X"), (4, b"\x09"), (6, b"\x02"), (8, b"\x01")])
def test_another_magic_number_version_or_count_is_refused(at: int, value: bytes) -> None:
    block = bytearray(pack_rows(BAR, np.zeros(2, BAR.dtype)))
    block[at : at + 1] = value
    with pytest.raises(BlockFormatError):
        unpack_rows(BAR, bytes(block))


def test_rows_of_another_schema_are_not_packed() -> None:
    with pytest.raises(BlockFormatError, match="bar"):
        pack_rows(BAR, np.zeros(1, SIGNAL.dtype))


def test_schemas_have_their_own_numbers_and_no_gaps() -> None:
    assert [(number, schema.number) for number, schema in SCHEMAS.items()] == [(n, n) for n in range(1, 6)]
    for schema in SCHEMAS.values():
        names = schema.dtype.names or ()
        assert schema.dtype.itemsize == sum(schema.dtype[name].itemsize for name in names), schema.name
        assert all(schema.dtype[name].byteorder in "<|=" for name in names), schema.name


def test_a_row_at_the_edge_has_none_for_nan() -> None:
    row = np.zeros(1, BAR.dtype)
    row["volume"], row["close"], row["token"] = np.nan, 1573.15, 408065
    edge = row_as_dict(row[0])
    assert (edge["volume"], edge["close"], edge["token"]) == (None, 1573.15, 408065)
    assert list(edge) == list(BAR.dtype.names or ())


def test_null_is_no_value_that_a_packet_can_carry() -> None:
    assert NULL_INT not in range(2**32)
