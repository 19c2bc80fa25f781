import numpy as np
import pytest

from trading_platform.simulator.synthetic_levels import DayLevels, Roster, day_levels, roster
from trading_platform.simulator.synthetic_paths import (
    POINTS_PER_MINUTE,
    Events,
    day_shape,
    minute_volumes,
    plant_events,
    price_paths,
)

NAMES, MINUTES, PINNED = 60, 380, 370


@pytest.fixture(scope="module")
def fixed() -> Roster:
    return roster(3, NAMES)


@pytest.fixture(scope="module")
def levels() -> DayLevels:
    return day_levels(3, NAMES, 100)


def paths_of(fixed: Roster, levels: DayLevels, events: Events, seed: int = 5) -> np.ndarray:
    random = np.random.default_rng(seed)
    return price_paths(random, fixed, levels, minutes=MINUTES, pinned=PINNED, events=events)


def no_events() -> Events:
    return Events(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def test_paths_begin_at_the_open_and_stand_at_the_close_when_pinned(fixed: Roster, levels: DayLevels) -> None:
    events = plant_events(np.random.default_rng(1), NAMES, PINNED)
    paths = paths_of(fixed, levels, events)
    assert paths.shape == (MINUTES * POINTS_PER_MINUTE, NAMES)
    np.testing.assert_allclose(paths[0], levels.opened, rtol=1e-12)
    np.testing.assert_allclose(paths[PINNED * POINTS_PER_MINUTE - 1], levels.closed, rtol=1e-12)


def test_names_move_together_and_volatility_clusters(fixed: Roster, levels: DayLevels) -> None:
    season = np.sqrt(np.repeat(day_shape(MINUTES), POINTS_PER_MINUTE))[1:, None]
    days = [np.diff(np.log(paths_of(fixed, levels, no_events(), seed)), axis=0) / season for seed in range(6)]
    assert np.mean([np.corrcoef(day.T)[np.triu_indices(NAMES, 1)].mean() for day in days]) > 0.05
    for lag in (1, 10):
        squares = [day**2 - (day**2).mean(axis=0) for day in days]
        remembered = np.mean([(one[lag:] * one[:-lag]).mean(axis=0) / (one**2).mean(axis=0) for one in squares])
        # independent steps would give less than 0.01 over so many
        assert remembered > 0.03


def test_the_shape_of_the_day_is_a_u() -> None:
    shape = day_shape(370)
    assert shape.mean() == pytest.approx(1.0)
    assert shape[0] > 2.0 * shape[180]
    assert shape[-1] > 1.5 * shape[180]


def test_volumes_are_u_shaped_and_overdispersed(fixed: Roster, levels: DayLevels) -> None:
    paths = paths_of(fixed, levels, no_events())
    volumes = np.stack(
        [minute_volumes(np.random.default_rng(seed), fixed, levels, paths, no_events()) for seed in range(20)]
    )
    assert volumes.min() >= 0
    total = volumes.sum(axis=(0, 2))
    assert total[:30].mean() > 1.5 * total[150:220].mean()
    busy = int(np.argmax(fixed.minute_volume))
    sample = volumes[:, 200, busy]
    assert sample.var() > 10.0 * sample.mean()


def test_an_event_moves_price_and_volume(fixed: Roster, levels: DayLevels) -> None:
    event = Events(np.array([4]), np.array([150]), np.array([0.015]), np.array([10.0]))
    plain, moved = paths_of(fixed, levels, no_events()), paths_of(fixed, levels, event)
    after, before = 160 * POINTS_PER_MINUTE, 149 * POINTS_PER_MINUTE
    np.testing.assert_allclose(moved[before, 4], plain[before, 4], rtol=1e-4)
    assert np.log(moved[after, 4] / plain[after, 4]) == pytest.approx(0.015, rel=0.1)
    np.testing.assert_allclose(np.delete(moved, 4, axis=1), np.delete(plain, 4, axis=1), rtol=1e-12)
    volumes = [
        minute_volumes(np.random.default_rng(2), fixed, levels, plain, each)[150:155, 4]
        for each in (event, no_events())
    ]
    assert volumes[0].sum() > 4 * volumes[1].sum()


def test_a_short_session_has_no_events() -> None:
    assert len(plant_events(np.random.default_rng(1), NAMES, 60).name) == 0
    assert len(plant_events(np.random.default_rng(1), NAMES, 370).name) > 3
