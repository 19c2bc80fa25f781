"""Bars for the tests of the player: handmade ones, and any that hypothesis can think of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from trading_platform.simulator.bar_ticks import SessionBars

START = 1_471_319_100
"""2016-08-16 09:15 IST."""

STOCK, OTHER, INDEX, OPTION = 1 * 256 + 1, 77 * 256 + 1, 5 * 256 + 9, 300 * 256 + 2


@dataclass(frozen=True)
class MadeBar:
    token: int
    minute: int
    words: tuple[int, int, int, int]
    volume: int

    @property
    def key(self) -> tuple[int, int]:
        return self.token, START + 60 * self.minute


def columns(bars: Sequence[MadeBar], lot: int = 1, previous_close: float = 0.0) -> SessionBars:
    ordered = sorted(bars, key=lambda bar: (bar.token, bar.minute))
    prices = np.array([bar.words for bar in ordered], np.float64).reshape(-1, 4) / 100
    return SessionBars(
        token=np.array([bar.token for bar in ordered], np.int64),
        start=np.array([START + 60 * bar.minute for bar in ordered], np.int64),
        open=prices[:, 0],
        high=prices[:, 1],
        low=prices[:, 2],
        close=prices[:, 3],
        volume=np.array([bar.volume for bar in ordered], np.int64),
        lot=np.full(len(ordered), lot, np.int64),
        previous_close=np.full(len(ordered), previous_close),
    )


@st.composite
def made_bar(draw: st.DrawFn, token: int, minute: int) -> MadeBar:
    prices = st.integers(1, 2**31 - 1) if draw(st.booleans()) else st.integers(100, 103)
    low, inner, other, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    opened, close = draw(st.sampled_from([(inner, other), (other, inner), (low, high), (high, low), (low, low)]))
    volumes = st.one_of(st.sampled_from([0, 0, 1, 2, 3]), st.integers(0, 10**8))
    volume = 0 if token & 0xFF == 9 else draw(volumes)
    return MadeBar(token, minute, (opened, high, low, close), volume)


@st.composite
def made_session(draw: st.DrawFn) -> list[MadeBar]:
    keys = st.tuples(st.sampled_from([STOCK, OTHER, INDEX, OPTION]), st.integers(0, 30))
    chosen = draw(st.lists(keys, min_size=1, max_size=24, unique=True))
    return [draw(made_bar(token, minute)) for token, minute in chosen]
