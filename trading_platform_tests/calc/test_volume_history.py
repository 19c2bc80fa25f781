import dataclasses
import statistics

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.relative_volume import (
    CLOSING_EXPECTED,
    CONTINUOUS_EXPECTED,
    DAY_EXPECTED,
    HISTORY_FLAGS,
    LEVEL,
    PRIOR,
    SESSIONS,
    VolumeFlag,
)
from trading_platform.calc.volume_history import VolumeHistory, expectations, longer_volumes, medians_known

VALUES = st.one_of(st.just(float("nan")), st.integers(0, 5).map(float), st.integers(0, 10**9).map(float))


def history(minutes: np.ndarray, opening: float = np.nan, closing: float = np.nan) -> VolumeHistory:
    auctions = minutes.shape[:2]
    return VolumeHistory(
        minutes,
        np.full(auctions, opening),
        np.full(auctions, closing),
        np.ones(auctions, np.bool_),
        np.zeros(auctions[1], np.bool_),
    )


def made(sessions: int, names: int = 2, minutes: int = 10, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    volumes = random.integers(0, 1000, (sessions, names, minutes)).astype(float)
    return np.where(random.random(volumes.shape) < 0.1, np.nan, volumes)


@settings(deadline=None)
@given(st.data(), st.integers(0, 7), st.integers(0, 5))
def test_medians_are_those_of_plain_python(data: st.DataObject, sessions: int, least: int) -> None:
    values = np.array(data.draw(st.lists(VALUES, min_size=sessions * 6, max_size=sessions * 6))).reshape(sessions, 2, 3)
    medians = medians_known(values, least)
    for row in range(2):
        for bucket in range(3):
            known = [value for value in values[:, row, bucket].tolist() if not np.isnan(value)]
            if len(known) >= max(least, 1):
                assert medians[row, bucket] == statistics.median(known)
            else:
                assert np.isnan(medians[row, bucket])


def test_longer_bars_add_what_is_known() -> None:
    minutes = np.array([[[1.0, np.nan, 3.0, 4.0, 5.0, np.nan, np.nan]]])
    np.testing.assert_array_equal(longer_volumes(minutes, 5), [[[13.0, np.nan]]])
    assert longer_volumes(np.empty((0, 3, 10)), 5).shape == (0, 3, 2)


def test_curves_are_medians_of_what_was_traded_by_then() -> None:
    volumes = made(11)
    usual = expectations(history(volumes), (1, 5), 10)
    for name in range(2):
        for minute in range(10):
            by_then = [float(np.nansum(session[name, : minute + 1])) for session in volumes]
            assert usual.cumulative[name, minute] == statistics.median(by_then)
    assert set(usual.bars) == {1, 5}
    whole = [float(np.nansum(session[0, 5:])) for session in volumes]
    assert usual.bars[5][0, 1] == statistics.median(whole)
    assert usual.known[5][0, 1] == 11


def test_tradingview_takes_the_mean_of_the_ten_sessions_before() -> None:
    volumes = made(12)
    volumes[11, 1] = np.nan  # no bar of the second name that day: its ten sessions begin one earlier
    mean = expectations(history(volumes), (1, 5), 10).tradingview_mean
    for name, sessions in ((0, range(2, 12)), (1, range(1, 11))):
        for bar in range(2):
            cumulative = [sum(v for v in volumes[k, name, : 5 * bar + 5] if not np.isnan(v)) for k in sessions]
            np.testing.assert_allclose(mean[name, bar], sum(cumulative) / 10, rtol=1e-14)
    assert np.isnan(expectations(history(volumes[:9]), (1, 5), 5).tradingview_mean).all()


def test_the_day_holds_auctions_and_continuous_trading_apart() -> None:
    volumes = np.full((10, 1, 10), 6.0)
    volumes[-1] = 24.0
    day = expectations(history(volumes, opening=5.0, closing=35.0), (1, 5), 10).day[0]
    assert (day[DAY_EXPECTED], day[CONTINUOUS_EXPECTED], day[CLOSING_EXPECTED]) == (100.0, 60.0, 35.0)
    assert day[LEVEL] == 2.0  # the root of four times the usual, yesterday
    assert day[PRIOR] == 180.0  # half an hour of six a minute
    assert (day[SESSIONS], day[HISTORY_FLAGS]) == (10, 0)


def test_too_short_a_past_says_nothing_and_why() -> None:
    volumes = made(9)
    volumes[:, 1] = np.nan
    usual = expectations(history(volumes), (1, 5), 10)
    assert np.isnan(usual.bars[1]).all()
    assert np.isnan(usual.cumulative).all()
    assert np.isnan(usual.day[:, CONTINUOUS_EXPECTED]).all()
    assert usual.day[:, HISTORY_FLAGS].tolist() == [int(VolumeFlag.FEW_SESSIONS), int(VolumeFlag.NO_BASELINE)]
    nothing = expectations(history(volumes[:0]), (1, 5), 10)
    assert nothing.day[:, HISTORY_FLAGS].tolist() == [int(VolumeFlag.NO_BASELINE)] * 2
    assert np.isnan(nothing.cumulative).all()


def test_a_bucket_that_usually_trades_nothing_has_no_baseline_but_a_day_goes_on() -> None:
    volumes = np.zeros((10, 1, 5))
    volumes[:, 0, 4] = 7.0
    usual = expectations(history(volumes), (1, 5), 10)
    assert np.isnan(usual.bars[1][0, :4]).all()
    assert usual.bars[1][0, 4] == 7.0
    assert usual.cumulative[0].tolist() == [0.0, 0.0, 0.0, 0.0, 7.0]


def test_a_changed_past_is_flagged() -> None:
    told = dataclasses.replace(history(made(10)), adjusted=np.array([True, False]))
    assert expectations(told, (1, 5), 10).day[:, HISTORY_FLAGS].tolist() == [int(VolumeFlag.CORPORATE_ACTION), 0]


def test_a_session_that_was_not_seen_from_its_open_on_has_no_say_in_the_day() -> None:
    volumes = np.full((11, 1, 10), 6.0)
    volumes[4, 0, :7] = np.nan
    late = np.ones((11, 1), np.bool_)
    late[4] = False
    usual = expectations(dataclasses.replace(history(volumes), whole=late), (1, 5), 10)
    assert usual.day[0, SESSIONS] == 10
    assert usual.known[1][0].tolist() == [10] * 7 + [11] * 3
    late[3] = False
    usual = expectations(dataclasses.replace(history(volumes), whole=late), (1, 5), 10)
    assert np.isnan(usual.cumulative).all()
    assert usual.bars[1][0, 9] == 6.0
