"""Which candles of a fetched block can be used: the others are counted by what is wrong with them."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_platform.calc.pass_layout import LONG_MINUTES, MIDNIGHT, NEXT_MINUTE, PHASES, Counter, Memory
from trading_platform.calc.volume_baseline import MINUTES_PER_DAY
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.wire.candle_block import Candle, CandleBlock, Window

LONG_SECONDS = LONG_MINUTES * 60


@dataclass(slots=True)
class Usable:
    """What a block says of one instrument: windows in order, candles by start, starts of candles that were set aside.

    A minute whose candle was set aside is not known; one that has none in a window was without a trade.
    """

    windows: list[Window] = field(default_factory=list)
    candles: dict[int, Candle] = field(default_factory=dict)
    spoilt: set[int] = field(default_factory=set)


def judge(memory: Memory, rows: Mapping[int, int], block: CandleBlock) -> dict[int, Usable]:
    """Return what can be used by token; `rows` is where instruments stand. Count what cannot."""
    found: dict[int, Usable] = defaultdict(Usable)
    for window in sorted(block.asked()):
        if window.token in rows and _is_over(memory, window):
            found[window.token].windows.append(window)
    for candle in block.given():
        mine = found.get(candle.token)
        fault = _fault(memory, rows, mine, candle)
        if fault is not None:
            memory.counters[fault] += 1
        if mine is not None and fault is None:
            mine.candles[candle.start] = candle
        elif mine is not None:
            mine.spoilt.add(candle.start - candle.start % 60)
            mine.candles.pop(candle.start, None)  # given twice: neither is believed
    return dict(found)


def _is_over(memory: Memory, window: Window) -> bool:
    """Tell whether a window is made of whole five-minute intervals of the day that are closed."""
    midnight = int(memory.scalars[MIDNIGHT])
    whole = window.begin % LONG_SECONDS == 0 and window.end % LONG_SECONDS == 0
    end = min(int(memory.scalars[NEXT_MINUTE]) * 60, midnight + MINUTES_PER_DAY * 60)
    return whole and midnight <= window.begin < window.end <= end


def _fault(memory: Memory, rows: Mapping[int, int], mine: Usable | None, candle: Candle) -> Counter | None:
    index = rows.get(candle.token)
    if index is None or memory.state[index, PHASES] < 0.0:
        return Counter.CANDLE_UNKNOWN_TOKEN
    asked = mine is not None and any(window.begin <= candle.start < window.end for window in mine.windows)
    if mine is None or not asked or candle.start % 60 or not _is_continuous(memory, index, candle.start):
        return Counter.CANDLE_WRONG_MINUTE
    if candle.start in mine.candles or candle.start in mine.spoilt:
        return Counter.CANDLE_REPEATED
    return None if _can_be(candle) else Counter.CANDLE_CONTRADICTS


def _is_continuous(memory: Memory, index: int, start: int) -> bool:
    hours = memory.phases[int(memory.state[index, PHASES])]
    return any(kind == PhaseKind.CONTINUOUS and begin <= start < end for kind, begin, end in hours.tolist())


def _can_be(candle: Candle) -> bool:
    prices = (candle.open, candle.high, candle.low, candle.close)
    if not all(map(math.isfinite, (*prices, candle.volume))):
        return False
    inside = all(candle.low <= price <= candle.high for price in prices)
    return inside and candle.volume >= 0.0 and candle.volume == math.floor(candle.volume)
