from functools import lru_cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.volume.models import KALMAN_ROBUST, MODELS, PANEL, PUBLISHED, Forecasts
from trading_platform.calc.volume.walk_forward import HORIZONS, Choice, Walk, first_forecasts, fit_points, walk_forward
from trading_platform_tests.calc.volume.made import made_volumes

SYMBOLS, SESSIONS, BINS, TRAIN = 3, 18, 5, 12


@lru_cache
def _volume() -> np.ndarray:
    volume = made_volumes(SYMBOLS, SESSIONS, BINS)
    volume[1, 3, 2] = 0.0
    volume[2, 14, 1] = np.nan
    return volume


@lru_cache
def _walk() -> Walk:
    return walk_forward(_volume(), TRAIN, 3)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, SESSIONS - TRAIN - 1), st.integers(0, BINS - 1), st.integers(0, 2**32 - 1))
def test_no_forecast_knows_its_bin_or_a_later_one_of_any_symbol(session: int, bin_: int, seed: int) -> None:
    noise = np.exp(np.random.default_rng(seed).uniform(0.0, 16.0, (SYMBOLS, SESSIONS, BINS)))
    volume = _volume().copy()
    volume[:, TRAIN + session, bin_:] = noise[:, TRAIN + session, bin_:]
    volume[:, TRAIN + session + 1 :] = noise[:, TRAIN + session + 1 :]
    changed, walk = walk_forward(volume, TRAIN, 3), _walk()
    for model in MODELS:
        one, two = walk.forecasts[model], changed.forecasts[model]
        for horizon in HORIZONS:
            before, after = getattr(one, horizon), getattr(two, horizon)
            np.testing.assert_array_equal(before[:, :session], after[:, :session])
            last = BINS if horizon == "day_ahead" else bin_ + 1
            np.testing.assert_array_equal(before[:, session, :last], after[:, session, :last])


def test_a_walk_twice_is_the_same_and_a_model_alone_is_what_it_is_among_all() -> None:
    alone = walk_forward(_volume(), TRAIN, 3, wanted=[PUBLISHED])
    for horizon in HORIZONS:
        expected = getattr(_walk().forecasts[PUBLISHED], horizon)
        np.testing.assert_array_equal(getattr(alone.forecasts[PUBLISHED], horizon), expected)
    assert set(alone.forecasts) == {PUBLISHED}


def test_published_is_one_of_two_models_by_symbol() -> None:
    walk = _walk()
    for horizon in HORIZONS:
        panel, alone, told = (getattr(walk.forecasts[name], horizon) for name in (PANEL, KALMAN_ROBUST, PUBLISHED))
        by_panel = walk.by_panel[horizon][:, :, None]
        np.testing.assert_array_equal(told, np.where(by_panel, panel, alone))


def _scaled(volume: np.ndarray, by_symbol: list[float]) -> Forecasts:
    scaled = volume * np.array(by_symbol)[:, None, None]
    rest = np.cumsum(volume[:, :, ::-1], axis=2)[:, :, ::-1] * np.array(by_symbol)[:, None, None]
    return Forecasts(scaled, scaled, rest)


def test_the_panel_is_published_where_it_was_better_before_and_where_little_is_known_if_it_is_better_for_most() -> None:
    volume = made_volumes(4, 30, 5)
    choice = Choice(volume, np.array([10, 10, 10, 29]))
    rows, sessions = np.arange(3), slice(10, 20)
    seen = volume[rows, sessions]
    made = {PANEL: _scaled(seen, [1.0, 1.5, 1.0]), KALMAN_ROBUST: _scaled(seen, [1.4, 1.0, 1.5])}
    choice.learn(made, rows, sessions)
    choice.choose(slice(10, 20))
    for horizon in HORIZONS:
        assert choice.by_panel[horizon][:, 10].tolist() == [True, False, True, True]
        assert not choice.by_panel[horizon][:, :10].any()


def test_a_symbol_begins_after_its_own_sessions() -> None:
    volume = made_volumes(3, 20, 4)
    volume[1, :5] = np.nan
    volume[2, 6:] = 0.0
    begins = first_forecasts(volume, 10)
    assert begins.tolist() == [10, 15, 20]
    assert fit_points(begins, 20, 4) == [10, 14, 15, 18, 20]
    walk = walk_forward(volume, 10, 4, wanted=[KALMAN_ROBUST])
    known = ~np.isnan(walk.forecasts[KALMAN_ROBUST].one_bin).any(axis=2)
    assert known.sum(axis=1).tolist() == [10, 5, 0]


def test_without_enough_sessions_there_is_nothing() -> None:
    walk = walk_forward(made_volumes(2, 8, 4), 10, 5)
    assert walk.forecasts[PUBLISHED].one_bin.shape == (2, 0, 4)
