"""A gap that is named after bars it touches were closed: they are flagged as revisions, or counted."""

import numpy as np
import pytest

from trading_platform.calc.gap_marks import pack_marks, unpack_marks
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.errors import BlockFormatError
from trading_platform.wire.journal_records import ControlType
from trading_platform_tests.calc.feeding import CASH, INDEX, NS, OTHER, Feeding, Result, at, tick

OPEN = at("09:15:00")
Told = list[tuple[int, int, int]]


def told(result: Result, token: int = CASH, interval: int = 1) -> Told:
    """Minute after the open, revision and flags of every row of an instrument, in the order in which they came."""
    rows = result.of(token, interval)[["start", "revision", "flags"]].tolist()
    return [((start - OPEN) // 60, revision, flags) for start, revision, flags in rows]


def trading(feeding: Feeding, first: int, end: int, *tokens: int) -> None:
    """Feed one packet of each instrument every ten seconds."""
    for second in range(first, end, 10):
        feeding.frame(OPEN + second, *(tick(token, 100.0, second, OPEN + second) for token in tokens))


def test_a_bar_that_was_closed_before_its_gap_was_known_is_revised() -> None:
    """Socket 1 falls silent 12 s before a five-minute bar ends; socket 0 closes that, then the silence is noticed."""
    feeding = Feeding().opened((OTHER,))
    feeding.subscribe((CASH, INDEX), at("09:00:00") * NS, socket=1)
    trading(feeding, 0, 290, CASH, OTHER)
    trading(feeding, 290, 330, OTHER)
    feeding.control(ControlType.DISCONNECTED, (OPEN + 325) * NS, socket=1, last_ns=(OPEN + 288) * NS)
    revealed = len(feeding.records)
    trading(feeding, 330, 400, OTHER)
    result = feeding.closed(OPEN + 400).run()
    assert told(result) == [*((k, 0, 0) for k in range(5)), (4, 1, BarFlag.GAP)]
    assert told(result, interval=5) == [(0, 0, 0), (0, 1, BarFlag.GAP)]
    assert all(flags == 0 for _, _, flags in told(result, OTHER))
    revised = result.bars[result.bars["revision"] == 1]
    assert revised["record"].tolist() == [revealed, revealed]
    closed = result.of(CASH)[4]
    assert (
        revised[["open", "high", "low", "close", "volume", "ticks"]][0]
        == closed[["open", "high", "low", "close", "volume", "ticks"]]
    )
    # what indicators and patterns saw stays
    assert set(result.indicators["revision"].tolist()) == {0}
    assert result.counters["unflagged_minutes"] == 0


def test_a_gap_that_is_named_twice_revises_once() -> None:
    feeding = Feeding().opened((CASH,))
    trading(feeding, 0, 130, CASH)
    for _ in range(2):
        feeding.control(
            ControlType.GAP, (OPEN + 130) * NS, from_ns=(OPEN + 50) * NS, until_ns=(OPEN + 55) * NS, tokens=[CASH]
        )
    result = feeding.closed(OPEN + 400).run()
    assert told(result) == [(0, 0, 0), (0, 1, BarFlag.GAP), (1, 0, 0), (2, 0, 0)]
    assert result.counters["gaps"] == 2


@pytest.mark.parametrize(
    ("since", "until", "touched"),
    [
        (20.0, 59.9, [0]),
        (20.0, 60.0, [0]),
        (20.0, 60.1, [0, 1]),
        # a packet of the minute before may have been under way when the last one came
        (61.9, 70.0, [0, 1]),
        (62.0, 70.0, [1]),
    ],
)
def test_a_gap_touches_the_minutes_that_it_lies_in(since: float, until: float, touched: list[int]) -> None:
    feeding = Feeding().opened((CASH,))
    trading(feeding, 0, 190, CASH)
    times = {"from_ns": int((OPEN + since) * NS), "until_ns": int((OPEN + until) * NS)}
    feeding.control(ControlType.GAP, (OPEN + 190) * NS, **times)
    result = feeding.closed(OPEN + 400).run()
    assert [minute for minute, revision, _ in told(result) if revision] == touched


def test_a_late_packet_goes_on_from_the_flagged_bar() -> None:
    feeding = Feeding().opened((CASH,))
    trading(feeding, 0, 80, CASH)
    feeding.control(ControlType.GAP, (OPEN + 80) * NS, from_ns=(OPEN + 50) * NS, until_ns=(OPEN + 55) * NS)
    feeding.frame(OPEN + 85, tick(CASH, 103.0, 58, OPEN + 58))
    result = feeding.closed(OPEN + 400).run()
    flags = BarFlag.GAP | BarFlag.AFTER_GAP | BarFlag.REVISED
    assert told(result)[:3] == [(0, 0, 0), (0, 1, BarFlag.GAP), (0, 2, flags)]
    assert result.of(CASH)[2]["high"] == 103.0


def test_bars_that_no_slot_holds_any_more_are_counted() -> None:
    feeding = Feeding().opened((CASH, OTHER))
    trading(feeding, 0, 900, CASH)
    trading(feeding, 900, 910, OTHER)
    gap = {"from_ns": (OPEN + 70) * NS, "until_ns": (OPEN + 130) * NS}
    for _ in range(2):
        feeding.control(ControlType.GAP, (OPEN + 910) * NS, **gap)
    result = feeding.run()
    # minutes 1 and 2 of the one that traded; the other had no bar in them
    assert result.counters["unflagged_minutes"] == 2
    assert not any(revision for _, revision, _ in told(result))


def test_minutes_without_trading_hours_are_not_counted_as_lost() -> None:
    feeding = Feeding().opened((CASH,))
    trading(feeding, 0, 900, CASH)
    feeding.control(ControlType.GAP, (OPEN + 900) * NS, from_ns=at("08:00:00") * NS, until_ns=at("08:50:00") * NS)
    assert feeding.run().counters["unflagged_minutes"] == 0


def test_times_of_another_day_touch_nothing() -> None:
    feeding = Feeding().opened((CASH,))
    trading(feeding, 0, 130, CASH)
    for from_ns, until_ns in ((0, 5), (OPEN * NS + 10**15, OPEN * NS + 10**15 + 5)):
        feeding.control(ControlType.GAP, (OPEN + 130) * NS, from_ns=from_ns, until_ns=until_ns)
    result = feeding.run()
    assert not result.state.memory.touched.any()
    feeding.control(ControlType.GAP, (OPEN + 130) * NS, from_ns=0, until_ns=2**62)
    assert feeding.run().state.memory.touched.all()


def test_marks_are_kept_in_two_bits() -> None:
    marks = np.arange(7 * 1441).reshape(7, 1441) % 3
    packed = pack_marks(marks.astype(np.uint8))
    assert packed.nbytes == 2 * 7 * 181
    assert unpack_marks(packed, marks.shape).tolist() == marks.tolist()
    with pytest.raises(BlockFormatError, match="another version"):
        unpack_marks(packed, (6, 1441))
