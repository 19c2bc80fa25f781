"""Bars of the pass on sessions made by hand, one rule of the architecture each."""

import numpy as np
import pytest

from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.relative_volume import VolumeFlag
from trading_platform.wire.journal_records import ControlType, RecordKind
from trading_platform.wire.kite_layout import Mode
from trading_platform.wire.records import FEATURE, unpack_rows
from trading_platform_tests.calc.feeding import (
    AUCTION_DAY,
    CASH,
    CLOSED_BOND,
    CRUDE,
    INDEX,
    NS,
    OTHER,
    Feeding,
    Result,
    at,
    tick,
)

OPEN = at("09:15:00")


def values(bar: np.void) -> tuple[float, ...]:
    return tuple(float(bar[name]) for name in ("open", "high", "low", "close", "volume", "ticks"))


def play(*packets: tuple[float, np.ndarray], end: float = OPEN + 600) -> Result:
    """Feed packets (received, tick), a heartbeat every second between, and close."""
    feeding = Feeding().opened()
    clock = at("09:14:59")
    for received, packet in packets:
        while clock < received:
            feeding.beat(clock)
            clock += 1
        feeding.frame(received, packet)
    return feeding.closed(end).run()


def test_a_minute_is_open_high_low_close_and_the_growth_of_the_days_volume() -> None:
    result = play(
        (OPEN + 1, tick(CASH, 100.0, 10, OPEN)),
        (OPEN + 20, tick(CASH, 103.0, 25, OPEN + 19)),
        (OPEN + 40, tick(CASH, 99.0, 30, OPEN + 39)),
        (OPEN + 59.5, tick(CASH, 101.0, 42, OPEN + 59)),
        (OPEN + 61, tick(CASH, 102.0, 50, OPEN + 60)),
    )
    first, second = result.of(CASH)
    assert values(first) == (100.0, 103.0, 99.0, 101.0, 42.0, 4.0)
    assert (int(first["start"]), int(first["flags"]), int(first["revision"])) == (OPEN, 0, 0)
    assert values(second) == (102.0, 102.0, 102.0, 102.0, 8.0, 1.0)
    (longer,) = result.of(CASH, 5)
    assert values(longer) == (100.0, 103.0, 99.0, 102.0, 50.0, 5.0)


def test_a_snapshot_counts_from_there_and_says_so() -> None:
    feeding = Feeding().opened((CASH,), "11:00:00")
    now = at("11:00:05")
    feeding.frame(now, tick(CASH, 100.0, 5000, now, average_price=98.0))
    feeding.frame(now + 2, tick(CASH, 101.0, 5010, now + 2))
    result = feeding.closed(now + 200).run()
    (bar,) = result.of(CASH)
    assert bar["volume"] == 10.0
    assert bar["flags"] == BarFlag.SNAPSHOT
    assert result.counters["snapshot_volume"] == 5000
    assert result.indicators[0]["vwap"] == pytest.approx((98.0 * 5000 + 101.0 * 10) / 5010)


def test_vwap_of_a_session_that_was_joined_is_unknown_without_the_exchanges_average() -> None:
    feeding = Feeding().opened((CASH,), "11:00:00")
    now = at("11:00:05")
    feeding.frame(now, tick(CASH, 100.0, 5000, now))
    feeding.frame(now + 2, tick(CASH, 101.0, 5010, now + 2))
    assert np.isnan(feeding.closed(now + 200).run().indicators[0]["vwap"])


def test_a_packet_without_volume_before_the_first_with_it_does_not_make_the_day_one_trade() -> None:
    feeding = Feeding().opened((CASH,), "11:00:00")
    now = at("11:00:05")
    feeding.frame(now, tick(CASH, 100.0, mode=Mode.LTP))
    feeding.frame(now + 1, tick(CASH, 100.0, 5000, now + 1))
    feeding.frame(now + 2, tick(CASH, 100.0, 5007, now + 2))
    (bar,) = feeding.closed(now + 200).run().of(CASH)
    assert bar["volume"] == 7.0
    assert bar["flags"] == BarFlag.SNAPSHOT | BarFlag.RECEIVE_TIME


def test_silence_is_closed_by_heartbeats_five_seconds_after_the_end() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 30, tick(CASH, 100.0, 10, OPEN + 30))
    before = len(feeding.records)
    for second in range(31, 70):
        feeding.beat(OPEN + second)
    (bar,) = feeding.run().of(CASH)
    assert int(bar["record"]) == before + 65 - 30


def test_an_exchange_time_two_seconds_past_the_end_closes_the_minute_of_all() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 30, tick(CASH, 100.0, 10, OPEN + 30))
    feeding.frame(OPEN + 62.1, tick(OTHER, 50.0, 1, OPEN + 61))
    feeding.frame(OPEN + 62.2, tick(OTHER, 50.0, 2, OPEN + 62))
    (bar,) = feeding.run().of(CASH)
    assert int(bar["record"]) == len(feeding.records)


def test_a_late_packet_revises_and_a_later_one_is_counted() -> None:
    result = play(
        (OPEN + 50, tick(CASH, 100.0, 10, OPEN + 50)),
        (OPEN + 70, tick(CASH, 105.0, 14, OPEN + 55)),
        (OPEN + 80, tick(CASH, 101.0, 20, OPEN + 80)),
        (OPEN + 100, tick(CASH, 90.0, 15, OPEN + 58)),
    )
    closed, revised, second = result.of(CASH)
    assert values(closed) == (100.0, 100.0, 100.0, 100.0, 10.0, 1.0)
    assert values(revised) == (100.0, 105.0, 100.0, 105.0, 14.0, 2.0)
    assert (int(revised["revision"]), int(revised["flags"])) == (1, BarFlag.REVISED)
    assert values(second) == (101.0, 101.0, 101.0, 101.0, 5.0, 1.0)
    assert (result.counters["late"], result.counters["revisions"], result.counters["late_volume"]) == (1, 1, 1)
    assert sum(bar["volume"] for bar in result.last(CASH).values()) + 1 == 20
    # what indicators saw stays: one row a bar, from its first closing
    assert result.indicators[result.indicators["interval"] == 1]["revision"].tolist() == [0, 0]


def test_a_late_packet_makes_a_bar_that_nobody_saw_and_revises_the_longer_one() -> None:
    result = play(
        (OPEN + 200, tick(CASH, 100.0, 10, OPEN + 200)),
        (OPEN + 315, tick(CASH, 104.0, 16, OPEN + 299)),
        (OPEN + 320, tick(CASH, 103.0, 17, OPEN + 320)),
    )
    assert [int(bar["revision"]) for bar in result.of(CASH)] == [0, 1, 0]
    minutes = result.last(CASH)
    assert values(minutes[OPEN + 240]) == (104.0, 104.0, 104.0, 104.0, 6.0, 1.0)
    assert minutes[OPEN + 300]["volume"] == 1.0
    first, revised, _ = result.of(CASH, 5)
    assert values(first) == (100.0, 100.0, 100.0, 100.0, 10.0, 1.0)
    assert values(revised) == (100.0, 104.0, 100.0, 104.0, 16.0, 2.0)
    assert int(revised["flags"]) == BarFlag.REVISED


def test_volume_that_falls_is_reordered_or_named() -> None:
    result = play(
        (OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10)),
        (OPEN + 11, tick(CASH, 101.0, 40, OPEN + 9)),
        (OPEN + 70, tick(CASH, 102.0, 45, OPEN + 70)),
        (OPEN + 71, tick(CASH, 103.0, 60, OPEN + 71)),
    )
    first, second = result.of(CASH)
    assert values(first) == (101.0, 101.0, 100.0, 100.0, 50.0, 2.0)
    assert first["flags"] == 0
    assert (second["volume"], second["flags"]) == (10.0, BarFlag.VOLUME_FELL)
    assert (result.counters["reordered"], result.counters["volume_fell"]) == (1, 1)


def test_duplicates_are_counted_once() -> None:
    packet = tick(CASH, 100.0, 50, OPEN + 10)
    result = play((OPEN + 10, packet), (OPEN + 11, packet), (OPEN + 12, packet))
    (bar,) = result.of(CASH)
    assert (bar["ticks"], result.counters["duplicates"]) == (1, 2)


def test_a_packet_that_differs_only_in_the_book_is_no_duplicate() -> None:
    result = play(
        (OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10, total_buy_quantity=5)),
        (OPEN + 11, tick(CASH, 100.0, 50, OPEN + 10, total_buy_quantity=6)),
    )
    assert (int(result.of(CASH)[0]["ticks"]), result.counters["duplicates"]) == (2, 0)


def test_yesterdays_last_tick_is_no_tick_of_today() -> None:
    yesterday = at("15:29:59") - 86400
    result = play(
        (OPEN - 300, tick(CASH, 90.0, 999_999, yesterday)),
        (OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10)),
    )
    (bar,) = result.of(CASH)
    assert values(bar) == (100.0, 100.0, 100.0, 100.0, 50.0, 1.0)
    assert result.counters["previous_session"] == 1


def test_a_packet_without_time_before_the_first_phase_says_nothing_of_today() -> None:
    feeding = Feeding().opened(at_clock="08:50:00")
    feeding.frame(at("08:51:00"), tick(CASH, 90.0, 999_999, mode=Mode.QUOTE))
    feeding.frame(OPEN + 1, tick(CASH, 100.0, 50, mode=Mode.QUOTE))
    result = feeding.closed(OPEN + 100).run()
    (bar,) = result.of(CASH)
    assert (bar["volume"], bar["flags"]) == (50.0, BarFlag.RECEIVE_TIME)
    assert (result.counters["outside_phases"], result.counters["volume_fell"]) == (1, 0)


def test_a_clock_ahead_is_not_believed() -> None:
    result = play(
        (OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10)),
        (OPEN + 20, tick(CASH, 101.0, 60, OPEN + 20 + 3600)),
        (OPEN + 30, tick(CASH, 102.0, 70, OPEN + 30)),
    )
    (bar,) = result.of(CASH)
    assert values(bar) == (100.0, 102.0, 100.0, 102.0, 70.0, 3.0)
    assert (bar["flags"], result.counters["clock_ahead"]) == (BarFlag.RECEIVE_TIME, 1)


def test_minutes_without_packets_have_no_bar() -> None:
    result = play(
        (OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10)),
        (OPEN + 250, tick(CASH, 101.0, 60, OPEN + 250)),
    )
    assert [int(bar["start"]) for bar in result.of(CASH)] == [OPEN, OPEN + 240]


def test_a_long_silence_without_records_loses_no_bar() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    # twelve minutes later the minute falls into the same place of the ring
    feeding.frame(OPEN + 12 * 60 + 10, tick(CASH, 101.0, 60, OPEN + 12 * 60 + 10))
    result = feeding.closed(OPEN + 1000).run()
    assert [int(bar["start"]) for bar in result.of(CASH)] == [OPEN, OPEN + 720]
    assert [bar["volume"] for bar in result.of(CASH)] == [50.0, 10.0]
    assert len(result.of(CASH, 5)) == 2


def test_auctions_have_bars_of_their_own_kind_and_volume_stays_where_it_was_traded() -> None:
    feeding = Feeding(AUCTION_DAY).opened((CASH,), "08:55:00")
    moments = [
        ("09:08:00", 100.0, 1000),
        ("09:15:01", 101.0, 1010),
        ("15:14:59", 102.0, 2010),
        ("15:31:00", 103.0, 9010),
        ("15:40:00", 103.0, 9510),  # between the auction and the post-close session
        ("15:51:00", 103.0, 9520),
    ]
    for clock, price, volume in moments:
        now = at(clock, AUCTION_DAY)
        feeding.frame(now + 0.5, tick(CASH, price, volume, now))
    result = feeding.closed(at("16:05:00", AUCTION_DAY)).run()
    assert result.of(CASH)["kind"].tolist() == [1, 0, 0, 2, 3]
    assert result.of(CASH)["volume"].tolist() == [1000.0, 10.0, 1000.0, 7000.0, 10.0]
    assert result.of(CASH, 5)["volume"].tolist() == [10.0, 1000.0]
    assert (result.counters["outside_phases"], result.counters["outside_volume"]) == (1, 500)
    assert result.indicators[result.indicators["interval"] == 1]["vwap"][-1] == pytest.approx(
        (10 * 101.0 + 1000 * 102.0) / 1010
    )


def test_vwap_of_a_closed_bar_does_not_know_the_next_minute() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 50, tick(CASH, 100.0, 10, OPEN + 50))
    feeding.frame(OPEN + 61, tick(CASH, 200.0, 1000, OPEN + 61))
    feeding.frame(OPEN + 62, tick(CASH, 200.0, 1001, OPEN + 62))
    result = feeding.run()
    assert result.indicators[0]["vwap"] == 100.0
    running = unpack_rows(FEATURE, result.entries["features"][-1].block)[0]
    assert running["vwap"] == pytest.approx((100.0 * 10 + 200.0 * 991) / 1001)


@pytest.mark.parametrize("kind", [ControlType.DISCONNECTED, ControlType.GAP])
def test_bars_of_a_gap_are_flagged(kind: ControlType) -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 10, OPEN + 10))
    feeding.frame(OPEN + 70, tick(CASH, 100.0, 20, OPEN + 70))
    if kind is ControlType.DISCONNECTED:
        feeding.control(kind, (OPEN + 80) * NS)
    back = OPEN + 200
    if kind is ControlType.GAP:
        feeding.control(kind, back * NS, from_ns=(OPEN + 80) * NS, until_ns=back * NS)
    else:
        feeding.subscribe([CASH, OTHER, INDEX, CRUDE], back * NS)
    feeding.frame(back + 1, tick(CASH, 101.0, 500, back + 1))
    feeding.frame(back + 70, tick(CASH, 101.0, 510, back + 70))
    result = feeding.closed(back + 300).run()
    assert result.of(CASH)["flags"].tolist() == [0, BarFlag.GAP, BarFlag.GAP | BarFlag.AFTER_GAP, 0]
    assert sum(result.of(CASH)["volume"]) == 510
    assert result.counters["gaps"] == 1


def test_a_gap_of_one_socket_is_none_of_another() -> None:
    feeding = Feeding().opened((CASH,))
    feeding.subscribe((OTHER,), at("09:00:01") * NS, socket=2)
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 10, OPEN + 10), tick(OTHER, 100.0, 10, OPEN + 10))
    feeding.control(ControlType.DISCONNECTED, (OPEN + 20) * NS, socket=2)
    result = feeding.closed(OPEN + 300).run()
    assert int(result.of(CASH)[0]["flags"]) == 0
    assert int(result.of(OTHER)[0]["flags"]) == BarFlag.GAP


def test_index_bars_have_no_volume() -> None:
    result = play((OPEN + 10, tick(INDEX, 20_000.0, 0, OPEN + 10)), (OPEN + 20, tick(INDEX, 20_010.0, 0, OPEN + 20)))
    for interval in (1, 5):
        (bar,) = result.of(INDEX, interval)
        assert values(bar)[:4] == (20_000.0, 20_010.0, 20_000.0, 20_010.0)
        assert np.isnan(bar["volume"])
        assert bar["flags"] == BarFlag.NO_VOLUME
    assert np.isnan(result.indicators[0]["vwap"])
    assert np.isnan(result.indicators[0]["rvol_bar"])


def test_unknown_stays_unknown_in_features() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, mode=Mode.LTP))
    row = unpack_rows(FEATURE, feeding.run().entries["features"][-1].block)[0]
    assert row["exchange_time"] == -1
    assert row["last_price"] == 100.0
    numbers = [name for name in FEATURE.dtype.names[4:] if FEATURE.dtype[name].kind == "f"]
    assert all(np.isnan(row[name]) for name in numbers)
    assert int(row["volume_flags"]) == VolumeFlag.NO_BASELINE | VolumeFlag.PARTIAL


def test_a_volume_in_some_minutes_makes_the_longer_bar_known() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, mode=Mode.LTP))
    feeding.frame(OPEN + 70, tick(CASH, 100.0, 30, OPEN + 70))
    result = feeding.closed(OPEN + 400).run()
    assert result.of(CASH)["flags"].tolist() == [BarFlag.RECEIVE_TIME | BarFlag.NO_VOLUME, 0]
    (longer,) = result.of(CASH, 5)
    assert (longer["volume"], longer["flags"]) == (30.0, BarFlag.RECEIVE_TIME)


def test_crude_oil_below_zero_and_a_price_of_zero() -> None:
    result = play(
        (OPEN + 10, tick(CRUDE, -2884.0, 10, OPEN + 10)),
        (OPEN + 11, tick(CRUDE, 0.0, 11, OPEN + 11)),
        (OPEN + 12, tick(CRUDE, -2880.0, 12, OPEN + 12)),
    )
    (bar,) = result.of(CRUDE)
    assert values(bar) == (-2884.0, -2880.0, -2884.0, -2880.0, 12.0, 2.0)
    assert result.counters["no_price"] == 1
    assert result.indicators[0]["vwap"] == pytest.approx((-2884.0 * 10 - 2880.0 * 2) / 12)


def test_packets_that_cannot_be_placed_are_counted_and_named() -> None:
    feeding = Feeding().opened((CASH, CLOSED_BOND, 77 * 256 + 1))
    feeding.frame(
        OPEN + 10,
        tick(4242, 1.0, 1, OPEN + 10),
        tick(CLOSED_BOND, 1.0, 1, OPEN + 10),
        tick(77 * 256 + 1, 1.0, 1, OPEN + 10),
        tick(CASH, 100.0, 1, OPEN + 10),
    )
    result = feeding.closed(OPEN + 100).run()
    assert (result.counters["unknown_token"], result.counters["no_session"]) == (1, 2)
    assert set(result.state.unplaced) == {CLOSED_BOND, 77 * 256 + 1}
    assert len(result.of(CASH)) == 1


def test_a_closed_exchange_gives_no_bars() -> None:
    from datetime import date  # noqa: PLC0415

    # NSE is shut for Moharram, MCX trades in the evening
    session = date(2026, 6, 26)
    feeding = Feeding(session).opened((CASH, CRUDE), "16:30:00")
    now = at("18:00:00", session)
    feeding.frame(now, tick(CASH, 100.0, 5, now), tick(CRUDE, 6000.0, 5, now))
    result = feeding.closed(now + 100).run()
    assert len(result.of(CASH)) == 0
    assert len(result.of(CRUDE)) == 1
    assert result.counters["no_session"] == 1
    assert "closed" in result.state.unplaced[CASH]


def test_good_packets_beside_damage_survive() -> None:
    good = tick(CASH, 100.0, 5, OPEN + 10)
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, good, tail=b"\x00\x01\x02")
    feeding.raw(RecordKind.FRAME, b"\x00\x02\x00\x03abc\x00", (OPEN + 11) * NS)
    feeding.raw(RecordKind.TEXT, b'{"type":"error"}', (OPEN + 12) * NS)
    feeding.raw(9, b"?", (OPEN + 13) * NS)
    result = feeding.closed(OPEN + 100).run()
    assert len(result.of(CASH)) == 1
    assert (result.counters["damaged_frames"], result.counters["damaged_bytes"]) == (2, 3 + 3 + 1)
    assert (result.counters["text"], result.counters["unknown_kind"]) == (1, 1)


def test_clock_steps_and_receive_times_that_go_back_are_counted() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 5, OPEN + 10))
    feeding.control(ControlType.CLOCK_STEP, (OPEN + 5) * NS, from_ns=1, to_ns=0)
    feeding.frame(OPEN + 6, tick(CASH, 101.0, 6, OPEN + 11))
    result = feeding.closed(OPEN + 100).run()
    assert (result.counters["clock_steps"], result.counters["received_before"]) == (1, 2)
    assert values(result.of(CASH)[0])[:5] == (100.0, 101.0, 100.0, 101.0, 6.0)


def test_the_end_of_the_data_closes_what_is_open() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 5, OPEN + 10))
    assert len(feeding.run().bars) == 0
    assert len(feeding.closed(OPEN + 11).run().bars) == 2


def test_a_receive_time_far_ahead_is_passed_at_once() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 5, OPEN + 10))
    feeding.raw(RecordKind.FRAME, b"\x00", 2**62)
    assert len(feeding.run().bars) == 2
