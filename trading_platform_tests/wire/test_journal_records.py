import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import RecordFormatError
from trading_platform.wire.journal_records import (
    CONTENT_TYPES,
    HEADER_BYTES,
    MAX_BODY,
    RECORD,
    Control,
    ControlType,
    RecordKind,
    ScanStop,
    decode_control,
    empty_batch,
    encode_control,
    encode_record,
    find_record,
    record_number,
    scan_records,
)

SHA = "0123456789abcdef" * 4
BODIES = st.lists(st.binary(max_size=60), min_size=1, max_size=12)


def chain(bodies: list[bytes], first: int = 1) -> list[bytes]:
    return [encode_record(first + i, 10 * i, RecordKind.FRAME, body, i % 3) for i, body in enumerate(bodies)]


def test_a_record_has_the_documented_layout() -> None:
    record = encode_record(0x0102030405060708, -2, RecordKind.TEXT, b"abc", 5)
    number, received = (0x0102030405060708).to_bytes(8, "little"), (-2).to_bytes(8, "little", signed=True)
    checked = bytes([2, 5, 0, 0]) + number + received + b"abc"
    assert record == b"TPR\x01" + struct.pack("<II", 3, zlib.crc32(checked)) + checked
    assert len(record) == HEADER_BYTES + 3
    assert record_number(b"xx" + record, 2) == 0x0102030405060708


@settings(deadline=None)
@given(BODIES, st.integers(1, 2**63))
def test_what_is_written_is_scanned(bodies: list[bytes], first: int) -> None:
    records = chain(bodies, first)
    scanned = scan_records(b"".join(records))
    assert scanned.stop is ScanStop.END
    assert scanned.stopped_at == sum(map(len, records))
    batch = scanned.records
    assert len(batch) == len(bodies)
    assert [batch.body(row) for row in range(len(batch))] == bodies
    assert [batch.encoded(row) for row in range(len(batch))] == records
    assert batch.table["number"].tolist() == [first + i for i in range(len(bodies))]
    assert batch.table["received_ns"].tolist() == [10 * i for i in range(len(bodies))]
    assert batch.table["socket"].tolist() == [i % 3 for i in range(len(bodies))]
    assert set(batch.table["kind"].tolist()) == {1}
    assert (batch.first_number, batch.last_number) == (first, first + len(bodies) - 1)


@settings(deadline=None)
@given(BODIES, st.data())
def test_any_flipped_bit_ends_the_scan_at_its_record_and_the_next_one_is_found(
    bodies: list[bytes], data: st.DataObject
) -> None:
    records = chain(bodies)
    raw = bytearray(b"".join(records))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    starts = np.cumsum([0, *map(len, records)])
    hit = int(np.searchsorted(starts, bit // 8, side="right")) - 1
    scanned = scan_records(bytes(raw))
    assert scanned.stop is not ScanStop.END
    assert scanned.stopped_at == starts[hit]
    assert len(scanned.records) == hit
    following = int(starts[hit + 1]) if hit + 1 < len(records) else None
    assert find_record(bytes(raw), start=scanned.stopped_at + 1, least=hit + 1) == following


@settings(deadline=None)
@given(BODIES, st.data())
def test_a_cut_record_is_incomplete(bodies: list[bytes], data: st.DataObject) -> None:
    records = chain(bodies)
    raw = b"".join(records)
    cut = data.draw(st.integers(len(raw) - len(records[-1]) + 1, len(raw) - 1))
    scanned = scan_records(raw[:cut])
    assert scanned.stop is ScanStop.INCOMPLETE
    assert len(scanned.records) == len(records) - 1


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_records_give_none(noise: bytes) -> None:
    scanned = scan_records(noise)
    assert len(scanned.records) == 0
    assert scanned.stopped_at == 0
    assert (scanned.stop is ScanStop.END) == (noise == b"")


def test_a_scan_may_start_inside_and_names_why_it_stopped() -> None:
    first, second = chain([b"one", b"second"])
    assert scan_records(first + second, start=len(first)).records.body(0) == b"second"
    assert scan_records(first + b"TPX\x01").stop is ScanStop.BAD_MAGIC
    too_long = b"TPR\x01" + struct.pack("<I", MAX_BODY + 1) + bytes(24)
    assert scan_records(first + too_long).stop is ScanStop.BAD_LENGTH
    assert scan_records(first + second[:-1] + b"?").stop is ScanStop.BAD_CRC


def test_the_largest_body_is_held_and_a_larger_one_refused() -> None:
    body = bytes(MAX_BODY)
    assert scan_records(encode_record(1, 0, RecordKind.FRAME, body)).table["length"].tolist() == [MAX_BODY]
    with pytest.raises(RecordFormatError, match=str(MAX_BODY + 1)):
        encode_record(1, 0, RecordKind.FRAME, body + b"x")


def test_the_next_record_must_have_a_plausible_number() -> None:
    raw = b"?" + encode_record(7, 0, RecordKind.FRAME, b"")
    assert find_record(raw, start=0, least=7, most=7) == 1
    assert find_record(raw, start=0, least=8) is None
    assert find_record(raw, start=0, most=6) is None
    assert find_record(raw, start=2) is None


def test_buffers_are_read_only_and_an_empty_batch_is_empty() -> None:
    batch = scan_records(bytearray(encode_record(1, 0, RecordKind.FRAME, b"x"))).records
    assert not batch.buffer.flags.writeable
    assert not len(empty_batch())
    assert empty_batch().table.dtype == RECORD


@settings(deadline=None)
@given(
    st.sampled_from(ControlType),
    st.dictionaries(st.text(min_size=1).filter(lambda k: k not in {"type", "sha256"}), st.integers(0, 9)),
)
def test_a_control_record_comes_back(control: ControlType, fields: dict[str, int]) -> None:
    expected = {**fields, **({"sha256": SHA} if control in CONTENT_TYPES else {})}
    decoded = decode_control(encode_control(control, **expected))
    assert (decoded.type, dict(decoded.fields)) == (control, expected)
    assert decoded.sha256 == expected.get("sha256")


def test_a_control_body_is_plain_sorted_json() -> None:
    assert encode_control(ControlType.GAP, socket=1, reason="x") == b'{"reason":"x","socket":1,"type":"gap"}'


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"1", b"{}", b'{"type":1}', b'{"type":"no"}', b'{"type":["gap"]}', b'{"type":"baseline"}',
     b'{"type":"baseline","sha256":"xyz"}', b'{"type":"gap","sha256":7}', b'{"type":"gap"', b"[" * 5000],
)  # fmt: skip
def test_hostile_control_bodies_are_refused_by_name(body: bytes) -> None:
    with pytest.raises(RecordFormatError):
        decode_control(body)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_control_record_or_a_named_error(body: bytes) -> None:
    with contextlib.suppress(RecordFormatError):
        assert isinstance(decode_control(body), Control)


def test_fields_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(RecordFormatError):
        encode_control(ControlType.GAP, what={1, 2})
    with pytest.raises(RecordFormatError):
        encode_control(ControlType.SEEDS)
    with pytest.raises(RecordFormatError):
        encode_control(ControlType.GAP, type="x")
