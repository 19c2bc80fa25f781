"""What holds of every pattern: its declaration, the width of its state, and that it does not know the future."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trading_platform.calc import pass_layout
from trading_platform.calc.patterns import breakout, inputs, volume_spike, vwap_cross
from trading_platform.calc.patterns.catalogue import PATTERNS

MODULES = [volume_spike, breakout, vwap_cross]
Steps = NDArray[np.float64]


def spike(state: Steps, bar: Steps, verdict: Steps) -> int:
    return volume_spike.volume_spike_step(state, bar, verdict, 1.5, 10.0)


def break_out(state: Steps, bar: Steps, verdict: Steps) -> int:
    return breakout.breakout_step(state, bar, verdict, 60.0, 0.1)


def short_break_out(state: Steps, bar: Steps, verdict: Steps) -> int:
    return breakout.breakout_step(state, bar, verdict, 5.0, 0.1)


def cross(state: Steps, bar: Steps, verdict: Steps) -> int:
    return vwap_cross.vwap_cross_step(state, bar, verdict, 2.0, 0.8)


STEPS: list[tuple[Any, Callable[..., int]]] = [
    (volume_spike, spike),
    (breakout, break_out),
    (breakout, short_break_out),
    (vwap_cross, cross),
]


def bars(seed: int, count: int) -> Steps:
    random = np.random.default_rng(seed)
    rows = np.full((count, inputs.BAR_COLUMNS), np.nan)
    close = 100 + np.cumsum(random.normal(0, 1, count))
    rows[:, inputs.CLOSE] = close
    rows[:, inputs.OPEN] = close - random.normal(0, 0.5, count)
    rows[:, inputs.HIGH] = close + random.exponential(0.3, count)
    rows[:, inputs.LOW] = close - random.exponential(0.3, count)
    rows[:, inputs.VOLUME] = random.integers(1, 1000, count)
    rows[:, inputs.VWAP] = 100 + np.cumsum(random.normal(0, 0.3, count))
    rows[:, inputs.RVOL] = random.exponential(1.2, count)
    rows[:, inputs.ATR] = random.uniform(0.5, 1.5, count)
    rows[random.random(count) < 0.05, inputs.RVOL] = np.nan
    return rows


def scan(step: Callable[..., int], width: int, rows: Steps) -> list[tuple[int, list[float]]]:
    state = np.zeros(width)
    said = []
    for row in rows:
        verdict = np.full(inputs.VERDICT_COLUMNS, np.nan)
        side = int(step(state, row, verdict))
        said.append((side, np.nan_to_num(verdict, nan=-1e300).tolist()))
    return said


def test_numbers_are_unique_and_every_pattern_is_declared() -> None:
    assert sorted(PATTERNS) == list(range(1, pass_layout.PATTERN_COUNT + 1))
    assert {module.NAME for module in MODULES} == {one.name for one in PATTERNS.values()}
    assert len({one.name for one in PATTERNS.values()}) == len(PATTERNS)


@pytest.mark.parametrize("number", sorted(PATTERNS))
def test_features_are_named_and_fit(number: int) -> None:
    declared = PATTERNS[number]
    assert all(declared.features)
    assert len(set(declared.features)) == len(declared.features)
    assert len(declared.features) <= inputs.VERDICT_COLUMNS - inputs.FEATURE_0
    assert declared.version >= 1


@pytest.mark.parametrize(("module", "step"), STEPS)
def test_a_step_stays_in_its_own_state(module: Any, step: Callable[..., int]) -> None:
    row = np.full(module.FIELDS + 2, 7.5)
    row[1:-1] = 0.0
    for bar in bars(3, 400):
        before = bar.copy()
        step(row[1:-1], bar, np.full(inputs.VERDICT_COLUMNS, np.nan))
        np.testing.assert_array_equal(bar, before)
    assert (row[0], row[-1]) == (7.5, 7.5)


def test_states_of_the_pass_do_not_overlap() -> None:
    layout = pass_layout
    edges = [
        layout.SPIKE_AT,
        layout.SPIKE_AT + volume_spike.FIELDS,
        layout.BREAKOUT_AT + breakout.FIELDS,
        layout.CROSS_AT + vwap_cross.FIELDS,
        layout.FIRED_AT + layout.PATTERN_COUNT * layout.SIDES,
        layout.INTERVAL_FIELDS,
    ]
    assert edges == sorted(edges)
    assert tuple(edges[1:4]) == (layout.BREAKOUT_AT, layout.CROSS_AT, layout.BARS_CLOSED_AT)
    assert layout.ROW_FIELDS * 8 <= 32 * 1024


@pytest.mark.parametrize(("module", "step"), STEPS)
@pytest.mark.parametrize("seed", range(5))
def test_no_pattern_knows_the_future(module: Any, step: Callable[..., int], seed: int) -> None:
    rows = bars(seed, 300)
    whole = scan(step, module.FIELDS, rows)
    for cut in (1, 17, 61, 150, 299):
        poisoned = rows.copy()
        poisoned[cut:] = 1e6
        assert scan(step, module.FIELDS, rows[:cut]) == whole[:cut]
        assert scan(step, module.FIELDS, poisoned)[:cut] == whole[:cut]
    assert any(side != inputs.SILENT for side, _ in whole) or step is break_out


@pytest.mark.parametrize(("module", "step"), STEPS)
def test_restored_half_way_says_the_same(module: Any, step: Callable[..., int]) -> None:
    rows = bars(11, 200)
    whole = scan(step, module.FIELDS, rows)
    state, said = np.zeros(module.FIELDS), []
    for bar in rows:
        state = np.frombuffer(state.tobytes()).copy()
        said.append(int(step(state, bar, np.full(inputs.VERDICT_COLUMNS, np.nan))))
    assert said == [side for side, _ in whole]
