"""The decoder equals the official Python client, field by field, and does more only where it says so."""

import base64
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.jit import kernel
from trading_platform.wire.kite_packets import (
    DAMAGE,
    HEARTBEAT,
    TICK,
    damage_capacity,
    decode,
    decode_frame,
    tick_capacity,
)
from trading_platform_tests.wire.official_client import (
    DATA,
    DIVISORS,
    expected_row,
    expected_rows,
    frame,
    packets,
    parse,
    rows,
    words,
)

INDEX_FULL = words(256265, 2340685, 2344195, 2329595, 2334445, 2326485, 14200, 1718176569)
QUOTE = words(408065, 157315, 1, 157033, 1175986, 256511, 360503, 156915, 157500, 156105, 156780)
FULL = (
    QUOTE
    + words(1625461887, 11, 13, 7, 1625461888)
    + b"".join(words(5 + level, 157340 - 5 * level) + bytes([0, level, 0, 0]) for level in range(10))
)
WRITTEN = [
    pytest.param(frame(FULL), id="full"),
    pytest.param(frame(QUOTE), id="quote"),
    pytest.param(frame(QUOTE[:8]), id="ltp"),
    pytest.param(frame(INDEX_FULL), id="index_full"),
    pytest.param(frame(INDEX_FULL[:28]), id="index_quote"),
    pytest.param(frame(INDEX_FULL[:8]), id="index_ltp"),
    pytest.param(frame(FULL, QUOTE, QUOTE[:8], INDEX_FULL, INDEX_FULL[:28]), id="mixed"),
    pytest.param(HEARTBEAT, id="heartbeat"),
    pytest.param(frame(), id="no_packets"),
]
VECTORS = sorted((DATA / "kite-vectors").glob("*.bin"))
RAW_FILES = VECTORS + sorted((DATA / "kite-mocks" / "js-packets").glob("*.packet"))
BARE_FILES = sorted((DATA / "kite-mocks").glob("*.packet"))
RECORDED = [pytest.param(file.read_bytes(), id=file.stem) for file in RAW_FILES] + [
    pytest.param(frame(base64.b64decode(file.read_bytes())), id=file.stem) for file in BARE_FILES
]


@pytest.mark.parametrize("payload", WRITTEN + RECORDED)
def test_frames_equal_the_official_client(payload: bytes) -> None:
    ticks, damage = decode(payload)
    assert rows(ticks) == expected_rows(payload)
    assert len(damage) == 0


@settings(deadline=None)
@given(st.lists(packets(), max_size=12))
def test_any_packets_equal_the_official_client(bodies: list[bytes]) -> None:
    ticks, damage = decode(frame(*bodies))
    assert rows(ticks) == expected_rows(frame(*bodies))
    assert len(damage) == 0


def test_recorded_answers_of_the_official_client() -> None:
    answers = json.loads((DATA / "kite-vectors" / "expected_official_clients.json").read_bytes()) if VECTORS else {}
    for file in VECTORS:
        recorded = answers[file.stem]["python_5.2.2"]["ok"]
        for tick in recorded:
            for name in {"last_trade_time", "exchange_timestamp"} & set(tick):
                tick[name] = datetime.fromisoformat(tick[name]).replace(tzinfo=ZoneInfo("Asia/Kolkata"))
        assert rows(decode(file.read_bytes())[0]) == [expected_row(tick) for tick in recorded], file.stem


def test_values_of_a_full_packet() -> None:
    tick = decode(frame(FULL))[0][0]
    assert (tick["token"], tick["segment"], tick["mode"], tick["is_index"]) == (408065, 1, 3, 0)
    assert (tick["last_price"], tick["average_price"], tick["volume"]) == (1573.15, 1570.33, 1175986)
    assert tuple(tick[["open", "high", "low", "close"]]) == (1569.15, 1575.0, 1561.05, 1567.8)
    assert (tick["last_trade_time"], tick["exchange_time"]) == (1625461887, 1625461888)
    assert tuple(tick[["open_interest", "open_interest_day_high", "open_interest_day_low"]]) == (11, 13, 7)
    assert (tick["depth_quantity"][9], tick["depth_price"][9], tick["depth_orders"][9]) == (14, 1572.95, 9)


def test_index_packets_have_their_own_order_and_no_quantities() -> None:
    tick = decode(frame(INDEX_FULL))[0][0]
    assert tuple(tick[["open", "high", "low", "close"]]) == (23344.45, 23441.95, 23295.95, 23264.85)
    assert (tick["is_index"], tick["exchange_time"], tick["volume"]) == (1, 1718176569, -1)
    assert np.isnan(tick["average_price"])
    assert decode(frame(INDEX_FULL[:28]))[0][0]["exchange_time"] == -1


@pytest.mark.parametrize(("segment", "divisor"), DIVISORS.items())
def test_every_segment_has_its_divisor(segment: int, divisor: int) -> None:
    payload = frame(words(256 + segment, 1234567))
    assert decode(payload)[0]["last_price"][0] == 1234567 / divisor == parse(payload)[0]["last_price"]


def test_a_zero_time_is_null_where_the_official_client_says_1970() -> None:
    payload = frame(FULL[:44] + words(0, 11, 13, 7, 0) + FULL[64:])
    tick, official = decode(payload)[0][0], parse(payload)[0]
    assert (tick["last_trade_time"], tick["exchange_time"]) == (-1, -1)
    assert official["last_trade_time"].timestamp() == official["exchange_timestamp"].timestamp() == 0


def test_prices_have_a_sign_where_the_official_client_has_none() -> None:
    payload = frame(words(256 + 7, -3763))
    assert decode(payload)[0]["last_price"][0] == -37.63
    assert parse(payload)[0]["last_price"] == 42949635.33


def test_quantities_have_no_sign() -> None:
    body = words(408065, 1, 4294967295, 1, 3000000000, 2147483648, 4294967294, 1, 1, 1, 1)
    tick = decode(frame(body))[0][0]
    assert (tick["last_quantity"], tick["volume"]) == (4294967295, 3000000000)
    assert (tick["total_buy_quantity"], tick["total_sell_quantity"]) == (2147483648, 4294967294)


@pytest.mark.parametrize("payload", [b"", HEARTBEAT, b"\xff", b"\x00\x00"])
def test_nothing_is_in_a_heartbeat_or_an_empty_frame(payload: bytes) -> None:
    ticks, damage = decode(payload)
    assert (len(ticks), len(damage)) == (0, 0)


@kernel
def decode_many(buffer, starts, stops, ticks, damage):
    count = damaged = 0
    for i in range(len(starts)):
        count, damaged = decode_frame(buffer, starts[i], stops[i], ticks, count, damage, damaged)
    return count, damaged


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(packets(), max_size=4).map(lambda bodies: frame(*bodies, count=3)), max_size=6))
def test_a_kernel_decodes_a_batch_into_shared_rows(payloads: list[bytes]) -> None:
    stops = np.cumsum([0] + [len(payload) for payload in payloads])
    joined = np.frombuffer(b"".join(payloads), np.uint8)
    ticks, damage = np.empty(tick_capacity(len(joined)), TICK), np.empty(damage_capacity(len(joined)), DAMAGE)
    count, damaged = decode_many(joined, stops[:-1], stops[1:], ticks, damage)
    alone = [decode(payload) for payload in payloads]
    assert rows(ticks[:count]) == [row for each, _ in alone for row in rows(each)]
    offsets = [row["offset"] + start for (_, each), start in zip(alone, stops[:-1], strict=True) for row in each]
    assert damage["offset"][:damaged].tolist() == offsets


@pytest.mark.parametrize(("tick_rows", "damage_rows"), [(1, 3), (2, 2)])
def test_too_few_rows_are_refused_before_anything_is_written(tick_rows: int, damage_rows: int) -> None:
    payload = frame(FULL, FULL)
    ticks, damage = np.zeros(tick_rows, TICK), np.zeros(damage_rows, DAMAGE)
    with pytest.raises(ValueError, match="_capacity"):
        decode_frame(np.frombuffer(payload, np.uint8), 0, len(payload), ticks, 0, damage, 0)
    assert not any(ticks.tobytes() + damage.tobytes())


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (0, 11), (5, 4)])
def test_a_payload_outside_its_buffer_is_refused(start: int, stop: int) -> None:
    buffer, ticks, damage = np.zeros(10, np.uint8), np.zeros(9, TICK), np.zeros(9, DAMAGE)
    with pytest.raises(ValueError, match="outside"):
        decode_frame(buffer, start, stop, ticks, 0, damage, 0)
