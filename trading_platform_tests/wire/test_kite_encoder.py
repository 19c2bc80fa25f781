"""What the encoder writes, the official client and our decoder read alike."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import PacketError
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_packets import DEPTH_ROWS, TICK, decode
from trading_platform_tests.wire.official_client import DATA, DIVISORS, expected_rows, rows

QUOTE_PRICES = ("average_price", "open", "high", "low", "close")
QUOTE_COUNTS = ("last_quantity", "volume", "total_buy_quantity", "total_sell_quantity")
INTEREST = ("open_interest", "open_interest_day_high", "open_interest_day_low")
TIMES = ("last_trade_time", "exchange_time")

counts = st.integers(0, 2**32 - 1)
times = st.one_of(st.just(-1), st.integers(1, 2**32 - 1))


def blank(**columns: Any) -> np.ndarray:
    tick = np.zeros(1, TICK)
    tick["token"], tick["mode"] = 408065, 3
    for name, value in columns.items():
        tick[name] = value
    return tick


@st.composite
def ticks(draw: st.DrawFn) -> np.ndarray:
    """Draw a row as the decoder would make it: what its packet does not carry is null."""
    mode, layout = draw(st.sampled_from([1, 2, 3])), draw(st.booleans())
    segment = 9 if layout else draw(st.sampled_from(sorted(set(DIVISORS) - {9})))
    price = st.integers(-(2**31), 2**31 - 1).map(lambda word: word / DIVISORS[segment])
    row = blank(segment=segment, mode=mode, is_index=int(layout), last_price=draw(price))
    row["token"] = draw(st.integers(0, 2**24 - 1)) * 256 + segment
    prices, numbers = QUOTE_PRICES if not layout else QUOTE_PRICES[1:], () if layout else QUOTE_COUNTS
    carried = dict.fromkeys(prices, price) | dict.fromkeys(numbers, counts) if mode > 1 else {}
    if mode == 3:
        carried |= {"exchange_time": times} if layout else dict.fromkeys(TIMES, times) | dict.fromkeys(INTEREST, counts)
    for name in (*QUOTE_PRICES, *QUOTE_COUNTS, *INTEREST, *TIMES):
        row[name] = draw(carried[name]) if name in carried else (np.nan if name in QUOTE_PRICES else -1)
    if mode == 3 and not layout:
        ten = {"min_size": DEPTH_ROWS, "max_size": DEPTH_ROWS}
        row["depth_price"], row["depth_quantity"] = draw(st.lists(price, **ten)), draw(st.lists(counts, **ten))
        row["depth_orders"] = draw(st.lists(st.integers(0, 2**16 - 1), **ten))
    else:
        row["depth_price"], row["depth_quantity"], row["depth_orders"] = np.nan, -1, -1
    return row


frames = st.lists(ticks(), max_size=6).map(lambda each: np.concatenate([np.empty(0, TICK), *each]))


@settings(deadline=None)
@given(frames)
def test_the_official_client_reads_what_we_write(given_ticks: np.ndarray) -> None:
    assert expected_rows(encode_frame(given_ticks)) == rows(given_ticks)


@settings(deadline=None)
@given(frames)
def test_we_read_what_we_write(given_ticks: np.ndarray) -> None:
    again, damage = decode(encode_frame(given_ticks))
    assert rows(again) == rows(given_ticks)
    assert len(damage) == 0


def test_recorded_frames_are_written_as_kite_wrote_them() -> None:
    files = [*(DATA / "kite-vectors").glob("*.bin"), *(DATA / "kite-mocks" / "js-packets").glob("*.packet")]
    for file in files:
        payload = file.read_bytes()
        if len(payload) > 1:
            assert encode_frame(decode(payload)[0]) == payload, file.name


def test_the_bytes_of_an_index_packet() -> None:
    row = blank(token=256265, is_index=1, last_price=23406.85, open=23344.45, high=23441.95, low=23295.95)
    row["close"], row["exchange_time"] = 23264.85, 1718176569
    expected = "0001 0020 0003e909 0023b74d 0023c503 00238bfb 00239eed 00237fd5 00003778 66694b39"
    assert encode_frame(row).hex() == expected.replace(" ", "")


def test_zeroed_rows_are_a_full_packet_that_knows_nothing() -> None:
    assert encode_frame(blank())[4:] == (408065).to_bytes(4, "big") + bytes(180)


@pytest.mark.parametrize(("price", "word"), [(100.004, 10000), (100.006, 10001), (-37.63, -3763), (0.29, 29)])
def test_prices_round_to_the_nearest_word(price: float, word: int) -> None:
    payload = encode_frame(blank(mode=1, last_price=price))
    assert int.from_bytes(payload[8:12], "big", signed=True) == word


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last_price", np.nan),
        ("last_price", 21474836.48),
        ("average_price", np.nan),
        ("close", -np.inf),
        ("volume", -1),
        ("volume", 2**32),
        ("open_interest", -1),
        ("exchange_time", -2),
        ("last_trade_time", 2**32),
        ("depth_price", np.nan),
        ("depth_quantity", -1),
        ("depth_orders", 2**16),
        ("mode", 0),
        ("mode", 4),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_row_that_fits_no_packet_is_refused_by_its_number(name: str, value: float, place: int) -> None:
    both = [blank(mode=1), blank(mode=1)]
    both[place] = blank(**{name: value})
    with pytest.raises(PacketError, match=f"tick {place} of the frame"):
        encode_frame(np.concatenate(both))


def test_what_the_packet_does_not_carry_may_be_null() -> None:
    assert len(encode_frame(blank(mode=1, volume=-1, average_price=np.nan, depth_price=np.nan))) == 12


def test_a_frame_holds_no_more_packets_than_its_count_can_say() -> None:
    assert len(encode_frame(_ltp(65535))) == 2 + 65535 * 10
    with pytest.raises(PacketError, match="65536"):
        encode_frame(_ltp(65536))


def test_rows_of_another_type_are_refused() -> None:
    with pytest.raises(PacketError, match="TICK"):
        encode_frame(np.zeros(1, [("token", "<u4")]))


def _ltp(rows_wanted: int) -> np.ndarray:
    return np.repeat(blank(mode=1), rows_wanted)
