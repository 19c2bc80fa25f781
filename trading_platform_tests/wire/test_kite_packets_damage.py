"""Whatever the bytes are, the good packets survive and every other byte is counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.wire.kite_packets import (
    DAMAGE,
    TICK,
    damage_capacity,
    decode,
    decode_frame,
    tick_capacity,
)
from trading_platform_tests.wire.official_client import KNOWN_LENGTHS, expected_rows, frame, packets, rows, words
from trading_platform_tests.wire.plain_walk import MISSING, TRAILING, TRUNCATED, UNKNOWN, found, walk

LTP = words(408065, 157315)
OTHER = words(256265, 2340685)


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """Draw a good frame with packets of odd lengths between, then flip, cut, insert and announce wrongly."""
    bodies = draw(st.lists(st.one_of(packets(), st.binary(max_size=200), st.just(bytes(164))), max_size=8))
    off_by = draw(st.sampled_from([0, 0, 0, 1, -1, 300]))
    payload = bytearray(frame(*bodies, count=max(0, len(bodies) + off_by)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(payload[: draw(st.integers(0, len(payload) + 50))])


any_bytes = st.one_of(st.binary(max_size=300), damaged_frames())


@settings(deadline=None, max_examples=400)
@given(any_bytes)
def test_good_packets_survive_any_bytes(payload: bytes) -> None:
    good, expected = walk(payload)
    ticks, damage = decode(payload)
    assert rows(ticks) == expected_rows(frame(*good))
    assert found(damage) == expected


@settings(deadline=None, max_examples=400)
@given(any_bytes)
def test_every_byte_and_every_packet_is_accounted_for(payload: bytes) -> None:
    ticks, damage = decode(payload)
    lengths = {(1, 0): 8, (1, 1): 8, (2, 0): 44, (2, 1): 28, (3, 0): 184, (3, 1): 32}
    decoded = sum(2 + lengths[mode, index] for mode, index in ticks[["mode", "is_index"]].tolist())
    unread = sum(length + 2 * (kind == UNKNOWN) for _, length, _, kind in found(damage))
    if len(payload) > 1:
        assert 2 + decoded + unread == len(payload)
        assert len(ticks) + int(damage["packets"].sum()) == int.from_bytes(payload[:2], "big")
    else:
        assert len(ticks) == len(damage) == 0


any_packet = st.sampled_from(KNOWN_LENGTHS).flatmap(lambda length: st.binary(min_size=length, max_size=length))


@st.composite
def mutated_frames(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    """Draw good packets, and their frame cut, flipped, overwritten, grown, or with a wrong length or count."""
    bodies = draw(st.lists(any_packet, min_size=1, max_size=12))
    payload = bytearray(frame(*bodies))
    at = draw(st.integers(2, len(payload) - 1))
    kind = draw(st.sampled_from(["cut", "flip", "overwrite", "insert", "delete", "length", "count"]))
    if kind == "cut":
        del payload[at:]
    elif kind == "flip":
        payload[at] ^= 1 << draw(st.integers(0, 7))
    elif kind == "count":
        payload[:2] = draw(st.integers(0, 65535)).to_bytes(2, "big")
    elif kind == "length":
        before = draw(st.integers(0, len(bodies) - 1))
        at = 2 + sum(2 + len(body) for body in bodies[:before])
        payload[at : at + 2] = draw(st.sampled_from([0, 1, 9, 164, 492, 65535])).to_bytes(2, "big")
    else:
        others = frame(*draw(st.lists(any_packet, min_size=1, max_size=3)))
        payload[at : at if kind == "insert" else at + draw(st.integers(1, 300))] = b"" if kind == "delete" else others
    return bodies, bytes(payload)


def untouched(bodies: list[bytes], payload: bytes) -> int:
    """Count the packets before the first byte that differs, as far as the payload still announces them."""
    whole = frame(*bodies)
    same = next((at for at in range(2, len(whole)) if payload[at : at + 1] != whole[at : at + 1]), len(whole))
    ends = np.cumsum([2 + len(body) for body in bodies]) + 2
    return min(int(np.searchsorted(ends, same, side="right")), int.from_bytes(payload[:2], "big"))


@settings(deadline=None, max_examples=200)
@given(mutated_frames())
def test_packets_before_the_damage_are_those_of_the_whole_frame(mutated: tuple[list[bytes], bytes]) -> None:
    bodies, payload = mutated
    whole, none = decode(frame(*bodies))
    ticks, _ = decode(payload)
    kept = untouched(bodies, payload)
    assert (len(whole), len(none)) == (len(bodies), 0)
    assert ticks[:kept].tobytes() == whole[:kept].tobytes()
    assert len(ticks) >= kept


@settings(deadline=None)
@given(any_bytes, st.binary(max_size=40), st.binary(max_size=40))
def test_nothing_outside_payload_and_rows_is_touched(payload: bytes, before: bytes, after: bytes) -> None:
    buffer = np.frombuffer(before + payload + after, np.uint8)
    room, damage_room = tick_capacity(len(payload)), damage_capacity(len(payload))
    ticks = np.frombuffer(bytearray(b"\xa5" * TICK.itemsize * (room + 2)), TICK)
    damage = np.frombuffer(bytearray(b"\xa5" * DAMAGE.itemsize * (damage_room + 2)), DAMAGE)
    start, stop = len(before), len(before) + len(payload)
    count, damaged = decode_frame(buffer, start, stop, ticks[:-1], 1, damage[:-1], 1)
    alone, alone_damage = decode(payload)
    assert ticks[1:count].tobytes() == alone.tobytes()
    assert [(offset - start, *rest) for offset, *rest in found(damage[1:damaged])] == found(alone_damage)
    for untouched in (ticks[:1], ticks[count:], damage[:1], damage[damaged:]):
        assert set(untouched.tobytes()) <= {0xA5}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(frame(LTP, bytes(164), OTHER), [(14, 164, 1, UNKNOWN)], id="full_packet_before_2018"),
        pytest.param(frame(LTP, bytes(492), OTHER), [(14, 492, 1, UNKNOWN)], id="twenty_depth_rows"),
        pytest.param(frame(LTP, b"", OTHER), [(14, 0, 1, UNKNOWN)], id="no_body"),
        pytest.param(frame(LTP, OTHER, LTP)[:-1], [(22, 9, 1, TRUNCATED)], id="cut_in_a_body"),
        pytest.param(frame(LTP, OTHER, LTP)[:-9], [(22, 1, 1, TRUNCATED)], id="cut_in_a_length"),
        pytest.param(frame(LTP, OTHER, count=5), [(22, 0, 3, MISSING)], id="fewer_packets_than_announced"),
        pytest.param(frame(LTP, OTHER) + b"abc", [(22, 3, 0, TRAILING)], id="bytes_after_the_last_packet"),
        pytest.param(
            frame(LTP, bytes(9), OTHER, bytes(3)) + b"a",
            [(14, 9, 1, UNKNOWN), (35, 3, 1, UNKNOWN), (38, 1, 0, TRAILING)],
            id="three_at_once",
        ),
    ],
)
def test_each_damage_is_named_and_its_neighbours_survive(payload: bytes, expected: list[tuple[int, ...]]) -> None:
    ticks, damage = decode(payload)
    assert ticks["last_price"].tolist() == [1573.15, 23406.85]
    assert found(damage) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x00\x01", [(2, 0, 1, MISSING)]),
        (b"\x00\x01\x00", [(2, 1, 1, TRUNCATED)]),
        (b"\x00\x00\x00", [(2, 1, 0, TRAILING)]),
        (b"\xff\xff\xff\xff", [(2, 2, 65535, TRUNCATED)]),
    ],
)
def test_the_shortest_frames(payload: bytes, expected: list[tuple[int, ...]]) -> None:
    ticks, damage = decode(payload)
    assert (len(ticks), found(damage)) == (0, expected)
