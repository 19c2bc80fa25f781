"""What is remembered of bars that gaps touched: the last row of each, however it came."""

import numpy as np
import pytest

from trading_platform.calc.gap_bars import GapBars
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.errors import BlockFormatError
from trading_platform.wire.records import BAR, Rows

GAP = int(BarFlag.GAP)


def rows(*given: tuple[int, int, int, int]) -> Rows:
    """Bars of (token, interval, start, volume), flagged."""
    out = np.zeros(len(given), BAR.dtype)
    for name, column in zip(("token", "interval", "start", "volume"), zip(*given, strict=True), strict=True):
        out[name] = column
    out["flags"] = GAP
    return out


def told(held: GapBars) -> list[tuple[int, int, int, int]]:
    return [(int(r["token"]), int(r["interval"]), int(r["start"]), int(r["volume"])) for r in held.rows()]


def test_the_row_that_was_written_last_stands() -> None:
    held = GapBars()
    held.keep(rows((7, 1, 60, 1), (5, 5, 0, 2), (5, 1, 60, 3), (5, 1, 60, 4)))
    held.keep(rows((5, 1, 0, 5), (7, 1, 60, 6)))
    assert told(held) == [(5, 1, 0, 5), (5, 1, 60, 4), (5, 5, 0, 2), (7, 1, 60, 6)]
    held.keep(rows((5, 5, 0, 7)))
    assert told(held)[2] == (5, 5, 0, 7)


def test_only_bars_of_continuous_trading_that_a_gap_touched_are_kept() -> None:
    given = rows((5, 1, 0, 1), (5, 1, 60, 2), (5, 1, 120, 3))
    given["flags"] = [0, GAP | 1, GAP]
    given["kind"] = [0, 0, 2]
    held = GapBars()
    held.keep(given)
    assert told(held) == [(5, 1, 60, 2)]


def test_the_bars_of_one_instrument_are_copies() -> None:
    held = GapBars()
    largest = 2**32 - 1
    held.keep(rows((5, 1, 0, 1), (6, 1, 0, 2), (6, 5, 0, 3), (largest, 1, 0, 4)))
    mine = held.of(6)
    assert {key: int(bar["volume"]) for key, bar in mine.items()} == {(1, 0): 2, (5, 0): 3}
    mine[1, 0]["volume"] = 9.0
    assert told(held)[1] == (6, 1, 0, 2)
    assert list(held.of(largest)) == [(1, 0)]
    assert held.of(4) == {}


def test_it_is_the_same_after_a_state_file() -> None:
    held = GapBars()
    assert told(GapBars.unpack(held.pack())) == []
    held.keep(rows((7, 1, 60, 1), (5, 5, 0, 2)))
    again = GapBars.unpack(held.pack())
    assert told(again) == told(held)
    again.keep(rows((5, 5, 0, 3)))
    assert told(again) == [(5, 5, 0, 3), (7, 1, 60, 1)]
    for packed in (held.pack()[:-1], held.pack().astype(np.uint16), held.pack().reshape(2, -1)):
        with pytest.raises(BlockFormatError, match="another version"):
            GapBars.unpack(packed)
