"""A history says why patterns fired or did not; what fires is what a plain reader of the rules and the pass fire."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trading_platform.calc.pass_layout import (
    BREAKOUT_BARS,
    BREAKOUT_MARGIN,
    COOLDOWN,
    CROSS_CLOSES,
    CROSS_RVOL,
    PARAMETERS,
    RUN_1,
    RUN_5,
    SPIKE_RVOL,
    SPIKE_VALUE,
)
from trading_platform.calc.pattern_history import Explained, PatternHistory
from trading_platform.wire.journal_records import ControlType
from trading_platform_tests.calc.feeding import CASH, DAY, SETTINGS, Feeding, Result
from trading_platform_tests.calc.patterns.made_bars import bar
from trading_platform_tests.calc.test_session_pass import baseline, minutes, seeds

SPIKE, BREAKOUT, CROSS = 1, 2, 3
Bars = list[NDArray[np.float64]]
Fired = list[tuple[int, int, int]]  # place of the bar, pattern, direction


def parameters(**changed: float) -> NDArray[np.float64]:
    row = np.zeros(PARAMETERS)
    row[SPIKE_RVOL], row[SPIKE_VALUE], row[BREAKOUT_BARS], row[BREAKOUT_MARGIN] = 2.0, 1000.0, 3.0, 0.1
    row[CROSS_CLOSES], row[CROSS_RVOL], row[COOLDOWN], row[RUN_1], row[RUN_5] = 3.0, 1.2, 6.0, 1.0, 0.0
    for name, value in changed.items():
        row[{"margin": BREAKOUT_MARGIN, "cooldown": COOLDOWN}[name]] = value
    return row


def explained(bars: Bars, row: NDArray[np.float64]) -> list[tuple[Explained, ...]]:
    history = PatternHistory(row, 1)
    return [history.step(each) for each in bars]


def fired(found: list[tuple[Explained, ...]]) -> Fired:
    return [(at, one.pattern, one.direction) for at, each in enumerate(found) for one in each if one.fires]


class Plain:
    """The rules of the three patterns and of the wait, bar by bar, from what their pages say."""

    def __init__(self, margin: float, cooldown: float) -> None:
        self.margin, self.cooldown = margin, cooldown
        self.bars: list[dict[str, float]] = []
        self.inside = self.run = 0
        self.last: dict[tuple[int, int], tuple[int, float]] = {}

    def feed(self, now: dict[str, float]) -> list[tuple[int, int]]:
        at = len(self.bars)
        there = [self.spike(now), self.breakout(now), self.cross(now)]
        for key, (_, stop) in list(self.last.items()):
            if key[1] * (now["close"] - stop) < 0:
                del self.last[key]
        self.bars.append(now)
        said = []
        for pattern, (side, stop) in zip((SPIKE, BREAKOUT, CROSS), there, strict=True):
            if side is None or (at - self.last.get((pattern, side), (-math.inf, 0.0))[0]) <= self.cooldown:
                continue
            self.last[pattern, side] = (at, stop)
            said.append((pattern, side))
        return said

    def spike(self, now: dict[str, float]) -> tuple[int | None, float]:
        return (0, math.nan) if now["rvol"] >= 2.0 and now["volume"] * now["close"] >= 1000.0 else (None, 0.0)

    def breakout(self, now: dict[str, float]) -> tuple[int | None, float]:
        if len(self.bars) < 3:
            return None, 0.0
        top = max(one["high"] for one in self.bars[-3:])
        bottom = min(one["low"] for one in self.bars[-3:])
        waited, close, atr = self.inside, now["close"], now["atr"]
        self.inside = self.inside + 1 if bottom <= close <= top else 0
        if waited < 3 or not atr > 0:
            return None, 0.0
        if close >= top + self.margin * atr and close > top:
            return 1, top - 0.25 * atr
        if close <= bottom - self.margin * atr and close < bottom:
            return -1, bottom + 0.25 * atr
        return None, 0.0

    def cross(self, now: dict[str, float]) -> tuple[int | None, float]:
        close, vwap, run = now["close"], now["vwap"], self.run
        if math.isnan(vwap) or close == vwap:
            return None, 0.0
        side = 1 if close > vwap else -1
        if run * side > 0:
            self.run += side
            return None, 0.0
        self.run = side
        if abs(run) >= 3 and now["rvol"] >= 1.2 and now["atr"] > 0:
            return side, vwap - side * 0.5 * now["atr"]
        return None, 0.0


# few distinct prices, so that a close stands exactly on a level, on a level and its margin, or on the VWAP
PRICES = st.integers(0, 12).map(lambda step: 100.0 + step / 4)
OR_UNKNOWN = st.sampled_from([math.nan, 0.0, 1.0, 1.2, 2.0, 2.5])


@st.composite
def bar_lists(draw: st.DrawFn) -> list[dict[str, float]]:
    count = draw(st.integers(1, 40))
    return [
        {
            "close": (close := draw(PRICES)),
            "high": max(close, draw(PRICES)) if draw(st.booleans()) else close,
            "low": min(close, draw(PRICES)) if draw(st.booleans()) else close,
            "volume": float(draw(st.integers(0, 30))),
            "vwap": draw(st.one_of(PRICES, st.just(101.0), st.just(math.nan))),
            "rvol": draw(OR_UNKNOWN),
            "atr": draw(st.sampled_from([math.nan, 0.0, 0.5, 2.5])),
        }
        for _ in range(count)
    ]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(bar_lists(), st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([0.0, 2.0, 6.0]))
def test_what_fires_is_what_the_rules_say_and_conditions_agree(
    made: list[dict[str, float]], margin: float, cooldown: float
) -> None:
    found = explained([bar(**each) for each in made], parameters(margin=margin, cooldown=cooldown))
    plain = Plain(margin, cooldown)
    assert fired(found) == [(at, *one) for at, each in enumerate(made) for one in plain.feed(each)]
    for each in found:
        for one in each:
            assert one.fires == all(condition.holds is True for condition in one.conditions)
            for condition in one.conditions:
                known = not (math.isnan(condition.value) or math.isnan(condition.threshold))
                assert (condition.holds is not None) == known


def walked(seed: int, count: int = 300) -> Result:
    random = np.random.default_rng(seed)
    # runs on both sides of the VWAP, breaks, and minutes that trade far more than the baseline
    closes = 400.0 + np.round(np.cumsum(random.normal(0, 1.5, count)) * 20) / 20
    volumes = random.choice([4, 10, 13, 60], count, p=[0.4, 0.3, 0.2, 0.1])
    feeding = Feeding(settings={**SETTINGS, "pattern_intervals": [1, 5]})
    contents = [(ControlType.BASELINE, baseline(DAY, 10.0)), (ControlType.SEEDS, seeds(DAY))]
    feeding.opened((CASH,), contents=contents)
    return minutes(feeding, closes.tolist(), volumes.tolist()).run()


def rows_of(result: Result, interval: int) -> tuple[list[int], Bars]:
    bars = {int(one["start"]): one for one in result.of(CASH, interval) if one["revision"] == 0 and one["kind"] == 0}
    lines = result.indicators[(result.indicators["token"] == CASH) & (result.indicators["interval"] == interval)]
    return list(bars), [_row(bars[int(line["start"])], line) for line in lines]


def _row(one: Any, line: Any) -> NDArray[np.float64]:
    prices = {name: float(one[name]) for name in ("open", "high", "low", "close", "volume")}
    names = {"ema": "ema_20", "rsi": "rsi_14", "atr": "atr_14", "vwap": "vwap", "rvol": "rvol_bar"}
    return bar(**prices, **{name: float(line[column]) for name, column in names.items()})


@pytest.mark.parametrize("interval", [1, 5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_history_of_the_passs_own_rows_fires_where_the_pass_fired(seed: int, interval: int) -> None:
    result = walked(seed)
    starts, bars = rows_of(result, interval)
    history = PatternHistory(result.state.memory.parameters, interval)
    found = [history.step(each) for each in bars]
    signals = result.signals[result.signals["interval"] == interval]
    expected = [(int(one["formed_at"]), int(one["pattern"]), int(one["direction"])) for one in signals]
    assert [(starts[at], pattern, side) for at, pattern, side in fired(found)] == expected
    assert {pattern for _, pattern, _ in expected} >= ({SPIKE, BREAKOUT, CROSS} if interval == 1 else {BREAKOUT})


def test_an_unknown_baseline_is_not_a_false_condition() -> None:
    ((spike, *_),) = explained([bar(close=400.0, volume=50.0)], parameters())
    assert [(one.name, one.holds) for one in spike.conditions] == [
        ("rvol_bar", None),
        ("traded_value", True),
        ("bars_since_signal", True),
    ]
    assert not spike.fires
    assert spike.conditions[-1].value == math.inf


def test_a_short_side_compares_the_other_way_round() -> None:
    (found,) = explained([bar(close=400.0, high=400.0, low=400.0, atr=1.0, vwap=401.0, rvol=1.5)], parameters())
    long, short = (one for one in found if one.pattern == CROSS)
    assert [(one.direction, one.conditions[0].relation, one.conditions[0].holds) for one in (long, short)] == [
        (1, ">", False),
        (-1, "<", True),
    ]
    assert [one.conditions[1].value for one in (long, short)] == [0.0, 0.0]


def test_where_patterns_do_not_run_nothing_is_said() -> None:
    assert PatternHistory(parameters(), 5).step(bar(close=400.0)) == ()
