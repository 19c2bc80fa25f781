import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.relative_volume import (
    CLOSING_EXPECTED,
    CONTINUOUS_EXPECTED,
    DAY_EXPECTED,
    DAY_FIELDS,
    EOD_PROJECTION,
    EOD_RATIO,
    FIELD_NAMES,
    LEVEL,
    PARTICIPATION,
    PRIOR,
    RVOL_BAR,
    RVOL_CUM,
    TRADINGVIEW_RVOL,
    VOLUME_FIELDS,
    VixRegime,
    elapsed_fraction,
    eod_projection,
    relative_volume,
    surprise_z,
    vix_regime,
    volume_fields,
    volume_scan,
)

VOLUMES = st.integers(0, 10**9).map(float)


def day(continuous: float, *, closing: float = 0.0, level: float = 1.0, prior: float = 0.0) -> np.ndarray:
    row = np.zeros(DAY_FIELDS)
    row[DAY_EXPECTED] = continuous + closing
    row[CONTINUOUS_EXPECTED], row[CLOSING_EXPECTED] = continuous, closing
    row[LEVEL], row[PRIOR] = level, prior
    return row


def test_a_normal_bar_reads_one_and_the_unknown_nothing() -> None:
    assert relative_volume(500.0, 500.0) == 1.0
    assert relative_volume(0.0, 500.0) == 0.0
    for volume, expected in ((500.0, math.nan), (math.nan, 500.0), (500.0, 0.0), (0.0, 0.0), (500.0, -1.0)):
        assert math.isnan(relative_volume(volume, expected))


def test_a_surprise_is_measured_in_standard_deviations() -> None:
    assert surprise_z(0.6, 0.09, 0.8) == pytest.approx(2.5)
    assert math.isnan(surprise_z(0.6, 0.0, 1.0))
    assert math.isnan(surprise_z(math.nan, 0.09, 1.0))


@settings(deadline=None)
@given(VOLUMES, VOLUMES, st.floats(1.0, 1e9), st.floats(0.25, 4.0), st.floats(0.0, 1e8))
def test_at_the_close_the_projection_is_what_was_traded(
    traded: float, auctioned: float, usual: float, level: float, prior: float
) -> None:
    assert eod_projection(traded, auctioned, usual, day(usual, level=level, prior=prior)) == auctioned + traded


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.floats(0.25, 4.0), st.floats(1e3, 1e9), st.floats(0.0, 1e8), st.floats(0.0, 1e6))
def test_a_day_that_goes_on_as_it_began_is_projected_so(
    share: float, level: float, usual: float, prior: float, closing: float
) -> None:
    # both what is seen and what was thought before the open say the same level
    projected = eod_projection(
        level * share * usual, 0.0, share * usual, day(usual, closing=closing, level=level, prior=prior)
    )
    assert projected == pytest.approx(level * (usual + closing))


def test_the_level_at_the_open_weighs_as_the_prior_volume() -> None:
    # nothing seen: the prior alone; as much seen as it weighs: half of each
    assert eod_projection(0.0, 0.0, 0.0, day(1000.0, level=1.4, prior=80.0)) == pytest.approx(1400.0)
    assert eod_projection(160.0, 7.0, 80.0, day(1080.0, level=1.0, prior=80.0)) == pytest.approx(167.0 + 1.5 * 1000.0)


def test_the_regime_follows_the_bounds() -> None:
    said = [vix_regime(vix) for vix in (9.0, 14.99, 15.0, 19.99, 20.0, 24.99, 25.0, 80.0, math.nan, 0.0)]
    low, normal, high, panic = VixRegime.LOW, VixRegime.NORMAL, VixRegime.HIGH, VixRegime.PANIC
    assert said == [low, low, normal, normal, high, high, panic, panic, VixRegime.UNKNOWN, VixRegime.UNKNOWN]


def test_a_running_bar_expects_what_the_curve_says_of_the_time_elapsed() -> None:
    curve = np.array([7.0, 30.0, 10.0, 10.0, 20.0, 30.0, math.nan])
    assert elapsed_fraction(curve, 1, 5, 300.0) == 1.0
    assert elapsed_fraction(curve, 1, 5, 60.0) == pytest.approx(0.30)
    assert elapsed_fraction(curve, 1, 5, 90.0) == pytest.approx(0.35)
    assert elapsed_fraction(curve, 1, 5, 0.0) == 0.0
    assert elapsed_fraction(curve, 0, 1, 15.0) == pytest.approx(0.25)
    assert math.isnan(elapsed_fraction(curve, 2, 5, 60.0))


def test_each_field_has_its_own_denominator() -> None:
    fields = np.empty(VOLUME_FIELDS)
    volume_fields(fields, 30.0, 20.0, 300.0, 100.0, 200.0, 400.0, day(900.0, closing=100.0))
    assert fields[RVOL_BAR] == 1.5
    assert fields[RVOL_CUM] == 1.5
    assert fields[TRADINGVIEW_RVOL] == 0.75
    # 100 in the auction, 300 since, and 1.5 times the 700 + 100 that are still to come
    assert fields[EOD_PROJECTION] == pytest.approx(1600.0)
    assert fields[EOD_RATIO] == pytest.approx(1.6)
    assert fields[PARTICIPATION] == pytest.approx(0.4)
    assert len(FIELD_NAMES) == VOLUME_FIELDS


def test_a_scan_takes_the_curves_at_the_end_of_each_bar() -> None:
    bars = np.array([[0, 0], [0, 1]])
    volumes = np.array([[50.0, 50.0, 0.0], [math.nan, 50.0, 0.0]])
    curve = np.arange(1.0, 11.0)[None] * 10.0
    rows = volume_scan(bars, volumes, 5, np.array([[25.0, 25.0]]), curve, np.array([[100.0, 200.0]]), day(100.0)[None])
    assert rows[:, RVOL_CUM].tolist() == [1.0, 0.5]
    assert rows[:, TRADINGVIEW_RVOL].tolist() == [0.5, 0.25]
    assert rows[0, RVOL_BAR] == 2.0
    assert math.isnan(rows[1, RVOL_BAR])
    minutes = volume_scan(bars, volumes, 1, curve, curve, np.array([[100.0, 200.0]]), day(100.0)[None])
    assert minutes[:, RVOL_CUM].tolist() == [5.0, 2.5]
    assert np.isnan(minutes[:, TRADINGVIEW_RVOL]).all()
