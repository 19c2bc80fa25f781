"""Candles of the exchange take the place of what a gap left of bars; every expected bar is worked out by hand."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from trading_platform.calc.pass_layout import DAY_VOLUME, TRADED, BarFlag
from trading_platform.errors import BlockFormatError, EngineError
from trading_platform.wire.candle_block import Candle, CandleBlock, Window
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.kite_layout import Mode
from trading_platform_tests.calc.feeding import (
    AUCTION_DAY,
    CASH,
    CLOSED_BOND,
    DAY,
    INDEX,
    NS,
    OTHER,
    Feeding,
    Result,
    at,
    tick,
)

OPEN = at("09:15:00")
GAP, AFTER_GAP, RECONCILED = BarFlag.GAP, BarFlag.AFTER_GAP, BarFlag.RECONCILED
FIVE = 300
Values = tuple[float, ...]


def bar(row: Any) -> Values:
    return tuple(float(row[name]) for name in ("open", "high", "low", "close", "volume"))


def minute(number: int, *values: float, token: int = CASH) -> Candle:
    """A candle of a minute after the open: prices and volume."""
    return Candle(token, OPEN + 60 * number, *values)


def fetched(
    feeding: Feeding, received: int, candles: Sequence[Candle], *, windows: Sequence[tuple[int, int]] = ((0, FIVE),)
) -> None:
    """Record candles; windows are seconds after the open, asked for each token that has a candle."""
    tokens = sorted({candle.token for candle in candles} or {CASH})
    asked = [Window(token, OPEN + begin, OPEN + end) for token in tokens for begin, end in windows]
    block = CandleBlock.of(feeding.session, asked, candles)
    feeding.control(ControlType.CANDLES, (OPEN + received) * NS, block.encode())


def gapped(*, session: Feeding | None = None) -> Feeding:
    """A day of one stock: 100 a minute, away from 70 s to 190 s after the open, first volume again at 195 s."""
    feeding = session or Feeding().opened((CASH, OTHER))
    for second, price, volume in ((10, 100.0, 50), (50, 101.0, 100), (65, 102.0, 120)):
        feeding.frame(OPEN + second, tick(CASH, price, volume, OPEN + second))
    feeding.control(ControlType.DISCONNECTED, (OPEN + 73) * NS, last_ns=(OPEN + 70) * NS)
    feeding.subscribe((CASH, OTHER), (OPEN + 188) * NS)
    times = {"from_ns": (OPEN + 70) * NS, "until_ns": (OPEN + 190) * NS}
    feeding.control(ControlType.GAP, (OPEN + 190) * NS, tokens=[CASH, OTHER], **times)
    for second, price, volume in ((195, 107.0, 340), (235, 108.0, 400), (250, 109.0, 470), (290, 110.0, 500)):
        feeding.frame(OPEN + second, tick(CASH, price, volume, OPEN + second))
    feeding.beat(OPEN + 330)
    return feeding


# the exchange's own: 100 a minute; the gap left 20 of minute 1, nothing of 2, and 280 in 3
TRUTH = [
    minute(0, 100.0, 101.0, 100.0, 101.0, 100.0),
    minute(1, 102.0, 105.0, 99.0, 104.0, 100.0),
    minute(2, 104.0, 106.0, 103.0, 106.0, 100.0),
    minute(3, 106.0, 108.0, 106.0, 108.0, 100.0),
    minute(4, 109.0, 110.0, 109.0, 110.0, 100.0),
]
WHOLE = (100.0, 110.0, 99.0, 110.0, 500.0)


def in_bars(result: Result, token: int = CASH) -> float:
    return sum(float(np.nan_to_num(row["volume"])) for row in result.last(token).values())


def unaccounted(result: Result, token: int = CASH) -> float:
    """What the day's volume and the sum of all its places differ by."""
    index = result.state.memory.tokens.tolist().index(token)
    elsewhere = sum(result.counters[name] for name in ("late_volume", "outside_volume", "snapshot_volume"))
    day = result.state.memory.state[index, DAY_VOLUME]
    # what relative volume takes for traded is what stands in bars; a snapshot holds what came before it, candles too
    snapshot = result.counters["snapshot_volume"]
    bars_since = sum(float(row["volume"]) for row in result.last(token).values() if not int(row["flags"]) & RECONCILED)
    traded = snapshot + bars_since if snapshot else in_bars(result, token)
    assert result.state.memory.state[index, TRADED] == traded
    return float(in_bars(result, token) + elsewhere - result.counters["reconciled_volume"] - day)


def test_what_a_gap_leaves_without_candles() -> None:
    result = gapped().closed(OPEN + 700).run()
    assert [(bar(row)[4], int(row["flags"])) for row in result.of(CASH)] == [
        (100.0, 0),
        (20.0, GAP),
        (280.0, GAP | AFTER_GAP),
        (100.0, 0),
    ]


def test_bars_of_a_gap_become_those_of_the_exchange_and_others_stay() -> None:
    feeding = gapped()
    before = len(feeding.run().bars)
    fetched(feeding, 335, TRUTH)
    result = feeding.run()
    added = result.bars[before:]
    assert set(added["record"].tolist()) == {len(feeding.records)}
    assert [(int(row["interval"]), (int(row["start"]) - OPEN) // 60, int(row["revision"])) for row in added] == [
        (1, 1, 1),
        (1, 2, 1),  # had no bar: the first that is written of it is a revision all the same
        (1, 3, 1),
        (5, 0, 1),
    ]
    assert [bar(row) for row in added] == [*(tuple(candle[2:]) for candle in TRUTH[1:4]), WHOLE]
    assert added["flags"].tolist() == [
        GAP | RECONCILED,
        GAP | RECONCILED,
        GAP | AFTER_GAP | RECONCILED,
        GAP | AFTER_GAP | RECONCILED,
    ]
    assert added["ticks"].tolist() == [1, 0, 2, 7]
    assert (in_bars(result), result.counters["reconciled_volume"]) == (500.0, 0)
    assert result.counters["reconciled_bars"] == 4


def test_indicators_and_vwap_keep_what_they_saw() -> None:
    plain, reconciled = gapped(), gapped()
    fetched(reconciled, 335, TRUTH)
    fetched(plain, 335, [])
    for feeding in (plain, reconciled):
        feeding.frame(OPEN + 340, tick(CASH, 111.0, 520, OPEN + 340))
        feeding.closed(OPEN + 700)
    mine, theirs = reconciled.run(), plain.run()
    assert mine.indicators.tobytes() == theirs.indicators.tobytes()
    assert mine.signals.tobytes() == theirs.signals.tobytes()
    assert mine.of(CASH)[-1].tobytes() == theirs.of(CASH)[-1].tobytes()


def test_the_first_volume_after_a_gap_gives_up_what_candles_have() -> None:
    """The instrument is quiet after the gap: its first packet comes in a window that nobody asks for."""
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    feeding.control(ControlType.GAP, (OPEN + 190) * NS, from_ns=(OPEN + 70) * NS, until_ns=(OPEN + 190) * NS)
    feeding.frame(OPEN + 610, tick(CASH, 103.0, 400, OPEN + 610))
    feeding.frame(OPEN + 650, tick(CASH, 104.0, 420, OPEN + 650))
    feeding.beat(OPEN + 920)
    candles = [
        (100.0, 100.0, 100.0, 100.0, 50.0),
        (101.0, 102.0, 101.0, 102.0, 200.0),
        (102.0, 102.0, 102.0, 102.0, 130.0),
    ]
    fetched(feeding, 925, [minute(k, *values) for k, values in enumerate(candles)])
    result = feeding.run()
    assert [bar(row)[4] for row in result.last(CASH).values()] == [50.0, 40.0, 200.0, 130.0]
    shrunk = result.of(CASH)[-1]
    assert (int(shrunk["start"]), int(shrunk["revision"]), int(shrunk["flags"])) == (OPEN + 600, 1, GAP | AFTER_GAP)
    assert bar(shrunk)[:4] == (103.0, 104.0, 103.0, 104.0)
    assert [(int(row["start"] - OPEN), bar(row)[4]) for row in result.last(CASH, 5).values()] == [
        (0, 380.0),
        (600, 40.0),
    ]
    assert (in_bars(result), result.counters["reconciled_volume"]) == (420.0, 0)


@pytest.mark.parametrize("is_open", [False, True])
def test_volume_that_comes_after_the_candles_is_only_what_they_lack(*, is_open: bool) -> None:
    """No packet has come since the gap, or only into a bar that is open."""
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    feeding.control(ControlType.GAP, (OPEN + 190) * NS, from_ns=(OPEN + 70) * NS, until_ns=(OPEN + 190) * NS)
    feeding.beat(OPEN + 310)
    if is_open:
        feeding.frame(OPEN + 315, tick(CASH, 103.0, 390, OPEN + 315))
    fetched(feeding, 325, [minute(1, 101.0, 102.0, 101.0, 102.0, 200.0), minute(2, 102.0, 102.0, 102.0, 102.0, 130.0)])
    feeding.frame(OPEN + 330, tick(CASH, 103.0, 400, OPEN + 330))
    result = feeding.closed(OPEN + 700).run()
    last = result.last(CASH)
    assert (last[OPEN + 60]["volume"], last[OPEN + 120]["volume"], last[OPEN + 300]["volume"]) == (200.0, 130.0, 20.0)
    assert (in_bars(result), result.counters["reconciled_volume"]) == (400.0, 0)


def test_the_longer_bar_that_is_open_gives_up_volume_too() -> None:
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    feeding.control(ControlType.GAP, (OPEN + 190) * NS, from_ns=(OPEN + 70) * NS, until_ns=(OPEN + 190) * NS)
    feeding.frame(OPEN + 310, tick(CASH, 103.0, 400, OPEN + 310))
    feeding.beat(OPEN + 370)
    fetched(feeding, 375, [minute(2, 102.0, 102.0, 102.0, 102.0, 330.0)])
    result = feeding.closed(OPEN + 700).run()
    assert result.last(CASH)[OPEN + 300]["volume"] == 20.0
    assert result.last(CASH, 5)[OPEN + 300]["volume"] == 20.0
    assert int(result.last(CASH, 5)[OPEN + 300]["revision"]) == 0


def test_what_candles_and_packets_differ_by_is_counted() -> None:
    feeding = gapped()
    fetched(feeding, 335, [*TRUTH[:2], TRUTH[2]._replace(volume=130.0), *TRUTH[3:]])
    result = feeding.run()
    assert (in_bars(result), result.counters["reconciled_volume"]) == (530.0, 30)
    assert unaccounted(result) == 0.0


def test_parts_of_a_gap_that_come_one_after_the_other_add_up() -> None:
    """The gap reaches into the next five minutes; their candles come later."""
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    feeding.control(ControlType.GAP, (OPEN + 320) * NS, from_ns=(OPEN + 250) * NS, until_ns=(OPEN + 320) * NS)
    feeding.frame(OPEN + 330, tick(CASH, 103.0, 400, OPEN + 330))
    feeding.beat(OPEN + 630)
    fetched(feeding, 640, [minute(4, 101.0, 102.0, 101.0, 102.0, 200.0)])
    half = feeding.run()
    assert half.last(CASH)[OPEN + 300]["volume"] == 150.0
    assert in_bars(half) == 400.0
    fetched(feeding, 650, [minute(5, 102.0, 103.0, 102.0, 103.0, 150.0)], windows=[(FIVE, 2 * FIVE)])
    result = feeding.run()
    assert [row["volume"] for row in result.last(CASH).values()] == [50.0, 150.0, 200.0]
    assert (in_bars(result), result.counters["reconciled_volume"]) == (400.0, 0)
    assert [(int(row["start"] - OPEN), row["volume"]) for row in result.last(CASH, 5).values()] == [
        (0, 200.0),
        (300, 150.0),
    ]


def test_a_later_part_first_adds_up_as_well() -> None:
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    feeding.control(ControlType.GAP, (OPEN + 320) * NS, from_ns=(OPEN + 250) * NS, until_ns=(OPEN + 320) * NS)
    feeding.frame(OPEN + 330, tick(CASH, 103.0, 400, OPEN + 330))
    feeding.beat(OPEN + 630)
    fetched(feeding, 640, [minute(5, 102.0, 103.0, 102.0, 103.0, 150.0)], windows=[(FIVE, 2 * FIVE)])
    half = feeding.run()
    assert (in_bars(half), half.counters["reconciled_volume"]) == (200.0, -200)
    fetched(feeding, 650, [minute(4, 101.0, 102.0, 101.0, 102.0, 200.0)])
    result = feeding.run()
    assert (in_bars(result), result.counters["reconciled_volume"]) == (400.0, 0)


def test_a_minute_of_a_window_without_a_candle_had_no_trade() -> None:
    feeding = gapped()
    fetched(feeding, 335, [TRUTH[0], TRUTH[1]._replace(volume=300.0), TRUTH[4]])
    result = feeding.run()
    last = result.last(CASH)
    assert OPEN + 120 not in last
    assert bar(last[OPEN + 180]) == (107.0, 108.0, 107.0, 108.0, 0.0)
    assert int(last[OPEN + 180]["flags"]) == GAP | AFTER_GAP | RECONCILED
    assert (in_bars(result), result.counters["reconciled_volume"]) == (500.0, 0)


def test_a_window_without_any_candle_says_nothing() -> None:
    feeding = gapped()
    before = len(feeding.run().bars)
    fetched(feeding, 335, [])
    assert len(feeding.run().bars) == before


def test_candles_that_come_again_change_nothing_and_are_counted() -> None:
    feeding = gapped()
    fetched(feeding, 335, TRUTH)
    once = len(feeding.run().bars)
    fetched(feeding, 340, [candle._replace(close=candle.low, volume=1.0) for candle in TRUTH])
    result = feeding.run()
    assert len(result.bars) == once
    assert result.counters["candle_repeated"] == 3
    assert result.counters["reconciled_volume"] == 0


def test_a_reconciled_bar_takes_no_late_packet() -> None:
    """The exchange's candle holds that packet already; its volume is kept out of the next bar."""
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 10, tick(CASH, 100.0, 50, OPEN + 10))
    feeding.control(ControlType.GAP, (OPEN + 299) * NS, from_ns=(OPEN + 250) * NS, until_ns=(OPEN + 299) * NS)
    feeding.beat(OPEN + 310)
    fetched(feeding, 315, [minute(4, 101.0, 102.0, 101.0, 102.0, 200.0)])
    feeding.frame(OPEN + 320, tick(CASH, 109.0, 250, OPEN + 299))
    feeding.frame(OPEN + 330, tick(CASH, 104.0, 260, OPEN + 330))
    result = feeding.closed(OPEN + 700).run()
    assert bar(result.last(CASH)[OPEN + 240]) == (101.0, 102.0, 101.0, 102.0, 200.0)
    assert int(result.last(CASH)[OPEN + 240]["revision"]) == 1
    assert bar(result.last(CASH, 5)[OPEN]) == (101.0, 102.0, 101.0, 102.0, 200.0)
    assert result.counters["late"] == 1
    assert result.last(CASH)[OPEN + 300]["volume"] == 10.0
    assert unaccounted(result) == 0.0


def test_a_late_packet_of_another_minute_leaves_the_reconciled_longer_bar_alone() -> None:
    feeding = gapped()
    fetched(feeding, 325, TRUTH)
    feeding.frame(OPEN + 328, tick(CASH, 120.0, 505, OPEN + 299))
    result = feeding.run()
    assert bar(result.last(CASH, 5)[OPEN]) == WHOLE
    assert bar(result.last(CASH)[OPEN + 240])[1] == 120.0


def test_candles_come_after_the_bars_that_their_own_record_closes() -> None:
    """All sockets are away: nothing but this record moves time."""
    feeding = gapped()
    del feeding.records[-1]
    fetched(feeding, 335, TRUTH)
    result = feeding.run()
    assert bar(result.last(CASH, 5)[OPEN]) == WHOLE
    assert [int(row["revision"]) for row in result.of(CASH, 5)] == [0, 1]
    assert {entry.record for entry in result.entries["bars"][-1:]} == {len(feeding.records)}


def test_an_index_has_candles_without_volume() -> None:
    feeding = Feeding().opened((INDEX,))
    for second in (10, 70):
        feeding.frame(OPEN + second, tick(INDEX, 20_000.0 + second, 0, OPEN + second))
    feeding.control(ControlType.GAP, (OPEN + 130) * NS, from_ns=(OPEN + 80) * NS, until_ns=(OPEN + 130) * NS)
    feeding.frame(OPEN + 310, tick(INDEX, 20_310.0, 0, OPEN + 310))
    candles = [minute(k, 5.0, 7.0, 4.0, 6.0 + k / 10, 0.0, token=INDEX) for k in range(5)]
    fetched(feeding, 320, candles)
    result = feeding.run()
    last = result.last(INDEX)
    assert sorted((start - OPEN) // 60 for start in last) == [0, 1, 2]
    for row in (last[OPEN + 60], last[OPEN + 120], result.last(INDEX, 5)[OPEN]):
        assert math.isnan(row["volume"])
        assert int(row["flags"]) == GAP | RECONCILED | BarFlag.NO_VOLUME
    assert bar(result.last(INDEX, 5)[OPEN])[:4] == (5.0, 7.0, 4.0, 6.4)


def test_a_bar_without_volume_learns_it() -> None:
    feeding = Feeding().opened((CASH,))
    feeding.frame(OPEN + 70, tick(CASH, 100.0, mode=Mode.LTP))
    feeding.control(ControlType.GAP, (OPEN + 310) * NS, from_ns=(OPEN + 80) * NS, until_ns=(OPEN + 90) * NS)
    fetched(feeding, 320, TRUTH)
    row = feeding.run().last(CASH)[OPEN + 60]
    assert (row["volume"], int(row["flags"])) == (100.0, GAP | RECONCILED | BarFlag.RECEIVE_TIME)


def test_volume_before_a_first_snapshot_is_not_awaited() -> None:
    """Subscribed after the open, and no packet yet: the first one will be a snapshot, whatever candles said."""
    feeding = Feeding().opened((CASH,), "09:16:00")
    feeding.control(ControlType.GAP, (OPEN + 190) * NS, from_ns=(OPEN + 70) * NS, until_ns=(OPEN + 190) * NS)
    feeding.beat(OPEN + 310)
    fetched(feeding, 320, [minute(1, 101.0, 102.0, 101.0, 102.0, 200.0)])
    feeding.frame(OPEN + 330, tick(CASH, 104.0, 5000, OPEN + 330))
    feeding.frame(OPEN + 340, tick(CASH, 104.0, 5010, OPEN + 340))
    result = feeding.closed(OPEN + 700).run()
    assert result.last(CASH)[OPEN + 300]["volume"] == 10.0
    assert result.counters["reconciled_volume"] == 200
    assert unaccounted(result) == 0.0


def test_candles_of_other_minutes_than_those_of_the_gap_change_nothing() -> None:
    feeding = Feeding().opened((CASH,))
    for second in range(10, 330, 20):
        feeding.frame(OPEN + second, tick(CASH, 100.0, second, OPEN + second))
    before = len(feeding.run().bars)
    fetched(feeding, 335, TRUTH)
    result = feeding.run()
    assert len(result.bars) == before
    assert result.counters["candle_wrong_minute"] == 0


@pytest.mark.parametrize(
    ("changed", "counter"),
    [
        ({"high": math.nan}, "candle_contradicts"),
        ({"volume": math.inf}, "candle_contradicts"),
        ({"volume": 0.5}, "candle_contradicts"),
        ({"volume": -1.0}, "candle_contradicts"),
        ({"high": 98.0}, "candle_contradicts"),
        ({"open": 120.0}, "candle_contradicts"),
        ({"close": 1.0}, "candle_contradicts"),
        ({"start": OPEN + 61}, "candle_wrong_minute"),
        ({"start": OPEN + 300}, "candle_wrong_minute"),
        ({"start": -(2**62)}, "candle_wrong_minute"),
        ({"token": 4242}, "candle_unknown_token"),
        ({"token": CLOSED_BOND}, "candle_unknown_token"),
        ({"start": OPEN}, "candle_repeated"),
    ],
)
def test_a_candle_that_cannot_be_is_set_aside_and_the_others_are_used(changed: dict[str, Any], counter: str) -> None:
    feeding = gapped(session=Feeding().opened((CASH, OTHER, CLOSED_BOND)))
    windows = [Window(CASH, OPEN, OPEN + FIVE)]
    block = CandleBlock.of(DAY, windows, [TRUTH[0], TRUTH[1]._replace(**changed), *TRUTH[2:]])
    feeding.control(ControlType.CANDLES, (OPEN + 335) * NS, block.encode())
    result = feeding.run()
    assert result.counters[counter] == 1
    last = result.last(CASH)
    assert bar(last[OPEN + 120]) == TRUTH[2][2:]
    if counter == "candle_contradicts":
        # its minute is not known: neither the bar nor the longer one is touched, and its volume is in no other
        assert int(last[OPEN + 60]["revision"]) == 0
        assert int(result.last(CASH, 5)[OPEN]["revision"]) == 0
    assert in_bars(result) - result.counters["reconciled_volume"] == 500.0


@pytest.mark.parametrize(
    "window",
    [
        (0, 200),
        (60, 360),
        (300, 0),
        (300, 600),  # not over yet
        (-400_000_200, 300),
        (0, 400_000_200),
    ],
)
def test_a_window_that_is_not_of_whole_closed_intervals_of_the_day_is_not_used(window: tuple[int, int]) -> None:
    feeding = gapped()
    before = len(feeding.run().bars)
    fetched(feeding, 335, TRUTH, windows=[window])
    result = feeding.run()
    assert len(result.bars) == before
    assert result.counters["candle_wrong_minute"] == 5


def test_minutes_outside_continuous_trading_have_no_candles() -> None:
    feeding = Feeding(AUCTION_DAY).opened((CASH,), "08:55:00")
    open_at, auction = at("09:15:00", AUCTION_DAY), at("15:30:00", AUCTION_DAY)
    feeding.frame(open_at + 10, tick(CASH, 100.0, 50, open_at + 10))
    feeding.frame(auction + 10, tick(CASH, 101.0, 90, auction + 10))
    feeding.control(ControlType.GAP, (auction + 20) * NS, from_ns=auction * NS, until_ns=(auction + 15) * NS)
    feeding.beat(auction + 400)
    candle = Candle(CASH, auction, 1.0, 2.0, 1.0, 2.0, 7.0)
    block = CandleBlock.of(AUCTION_DAY, [Window(CASH, auction, auction + 300)], [candle])
    feeding.control(ControlType.CANDLES, (auction + 401) * NS, block.encode())
    result = feeding.run()
    assert result.counters["candle_wrong_minute"] == 1
    assert int(result.last(CASH)[auction]["kind"]) == 2
    assert int(result.last(CASH)[auction]["flags"]) & RECONCILED == 0


def test_candles_of_another_session_or_of_nothing_are_refused() -> None:
    feeding = gapped()
    feeding.control(ControlType.CANDLES, (OPEN + 335) * NS, CandleBlock.of(AUCTION_DAY, [], []).encode())
    with pytest.raises(EngineError, match="candles of 2026-08-05"):
        feeding.run()
    feeding = gapped()
    feeding.control(ControlType.CANDLES, (OPEN + 335) * NS, b"nothing")
    with pytest.raises(BlockFormatError, match="not a packed block"):
        feeding.run()
