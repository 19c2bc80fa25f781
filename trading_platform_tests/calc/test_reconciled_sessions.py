"""Sessions that are made up: after reconciliation bars are the exchange's, wherever gaps fell and records were cut."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trading_platform.calc.pass_layout import CLOSED_VOLUME, TRADED
from trading_platform.wire.candle_block import Candle, CandleBlock, Window
from trading_platform.wire.journal_records import ControlType
from trading_platform_tests.calc.feeding import CASH, DAY, NS, OTHER, Feeding, at, tick
from trading_platform_tests.calc.test_reconciliation import FIVE, GAP, OPEN, Values, bar, in_bars

SPAN = 3 * FIVE
Trade = tuple[int, float, int]  # second after the open, price, quantity
Away = tuple[int, int]  # seconds after the open of the last payload before a gap and of the first behind it


@dataclass(frozen=True)
class Made:
    """Trades of one instrument, when its socket was away, and whether others trade meanwhile."""

    trades: list[Trade]
    away: list[Away]
    noisy: bool

    def bars(self, minutes: int) -> dict[int, Values]:
        """What the exchange's own candles are."""
        grouped: dict[int, list[tuple[float, int]]] = {}
        for second, price, quantity in self.trades:
            grouped.setdefault(second // (60 * minutes) * 60 * minutes, []).append((price, quantity))
        return {OPEN + start: _candle(part) for start, part in grouped.items()}

    def is_away(self, second: int) -> bool:
        return any(begin < second <= end for begin, end in self.away)

    def windows(self) -> list[Window]:
        # what was under way when the last payload came is lost too
        touched = sorted({k for begin, end in self.away for k in range(max(0, begin - 2) // FIVE, end // FIVE + 1)})
        return [Window(CASH, OPEN + k * FIVE, OPEN + (k + 1) * FIVE) for k in touched]


def _candle(part: list[tuple[float, int]]) -> Values:
    prices = [price for price, _ in part]
    return prices[0], max(prices), min(prices), prices[-1], float(sum(quantity for _, quantity in part))


@st.composite
def days(draw: st.DrawFn) -> Made:
    seconds = draw(st.lists(st.integers(0, SPAN - 1), min_size=1, max_size=50, unique=True).map(sorted))
    trades = [(second, 100.0 + draw(st.integers(0, 40)) / 20, draw(st.integers(1, 99))) for second in seconds]
    cuts = draw(st.lists(st.integers(0, SPAN - 1), max_size=8, unique=True).map(sorted))
    return Made(trades, list(zip(cuts[::2], cuts[1::2], strict=False)), draw(st.booleans()))


def recorded(made: Made) -> Feeding:
    """What a feed records of it: nothing of the instrument while its socket is away, then that gap."""
    feeding = Feeding().opened((OTHER,))
    feeding.subscribe((CASH,), at("09:00:00") * NS, socket=1)
    totals = np.cumsum([quantity for _, _, quantity in made.trades]).tolist()
    events: list[tuple[float, str, Any]] = [
        (second + 0.2, "trade", (price, total, second))
        for (second, price, _), total in zip(made.trades, totals, strict=True)
        if not made.is_away(second)
    ]
    for begin, end in made.away:
        events += [(end + 0.4, "back", (begin, end))]
        events += [(begin + 3.3, "silent", begin)] if end - begin > 3 else []  # noticed late
    events += [(second, "other", second) for second in range(0, SPAN, 7 if made.noisy else SPAN)]
    for moment, kind, what in sorted(events, key=lambda event: event[0]):
        now_ns = int((OPEN + moment) * NS)
        if kind == "trade":
            feeding.frame(OPEN + moment, tick(CASH, what[0], what[1], OPEN + what[2]))
        elif kind == "other":
            feeding.frame(OPEN + moment, tick(OTHER, 50.0, what, OPEN + what))
        elif kind == "silent":
            feeding.control(ControlType.DISCONNECTED, now_ns, socket=1, last_ns=(OPEN + what) * NS)
        else:
            feeding.subscribe((CASH,), now_ns, socket=1)
            times = {"from_ns": (OPEN + what[0]) * NS, "until_ns": now_ns}
            feeding.control(ControlType.GAP, now_ns, socket=1, tokens=[CASH], **times)
    feeding.beat(OPEN + SPAN + 30)
    return feeding


def with_candles(made: Made, at_once: int) -> Feeding:
    """Add candles of all five-minute intervals that a gap fell into, so many intervals in one record."""
    feeding, windows = recorded(made), made.windows()
    for first in range(0, len(windows), at_once):
        asked = windows[first : first + at_once]
        candles = [
            Candle(CASH, start, *values)
            for start, values in made.bars(1).items()
            if any(window.begin <= start < window.end for window in asked)
        ]
        block = CandleBlock.of(DAY, asked, candles)
        feeding.control(ControlType.CANDLES, (OPEN + SPAN + 40 + first) * NS, block.encode())
    return feeding.closed(OPEN + SPAN + 60)


QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


# a gap that begins in the minute that ended the one before: what it lost comes five minutes later
ONE_GAP_ENDS_WHERE_ANOTHER_BEGINS = Made(
    [(0, 100.0, 1), (2, 100.0, 1), (3, 100.0, 1), (300, 100.0, 1)], [(0, 1), (2, 3)], False
)


@QUICK
@given(days(), st.integers(1, 3))
@example(ONE_GAP_ENDS_WHERE_ANOTHER_BEGINS, 1)
def test_after_reconciliation_bars_are_those_of_the_exchange(made: Made, at_once: int) -> None:
    result = with_candles(made, at_once).run()
    for minutes in (1, 5):
        assert {start: bar(row) for start, row in result.last(CASH, minutes).items()} == made.bars(minutes)
    untouched = [row for row in result.bars if not int(row["flags"]) & GAP]
    assert {int(row["revision"]) for row in untouched} <= {0}
    elsewhere = sum(result.counters[name] for name in ("late_volume", "outside_volume", "snapshot_volume"))
    index = result.state.memory.tokens.tolist().index(CASH)
    placed = result.state.memory.state[index, CLOSED_VOLUME]
    traded = result.state.memory.state[index, TRADED]
    assert np.nan_to_num(traded) == in_bars(result) + result.counters["snapshot_volume"]
    assert in_bars(result) + elsewhere - result.counters["reconciled_volume"] == placed


@QUICK
@given(days(), st.integers(1, 3), st.data())
def test_cuts_and_restarts_change_nothing(made: Made, at_once: int, data: st.DataObject) -> None:
    feeding = with_candles(made, at_once)
    whole = feeding.run()
    cuts = data.draw(st.lists(st.integers(1, len(feeding.records) - 1), max_size=4, unique=True))
    for between in (None, feeding.restored):
        parts = feeding.run(cuts, between)
        assert parts.state.digests == whole.state.digests
        assert parts.entries == whole.entries
        assert parts.state.save() == whole.state.save()
