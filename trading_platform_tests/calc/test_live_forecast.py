"""The filter of a session, bar by bar, against the textbook's equations in matrices."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from trading_platform.calc.live_forecast import AT, LIVE_FIELDS, filters_at_open, forecast_scan

KEEP, STEP, NOISE = 0.8, 0.05, 0.2
OPEN = (0.1, -0.3, 0.04, 0.01, 0.09)
CLIP = 2.5
BEHIND = 1.4  # what a surprise is divided by when the bar before it was one
BY_TIME = tuple(np.linspace(1.6, 0.7, 17))  # and by time of day

Steps = list[tuple[float, float]]


def live(count: int = 1) -> NDArray[np.float64]:
    return np.tile([KEEP, STEP, NOISE, *OPEN, BEHIND, *BY_TIME], (count, 1))


def textbook(volumes: list[float], expected: list[float]) -> Steps:
    """Predict and update with 2x2 matrices, bin by bin; a volume of NaN or 0 is no observation."""
    x = np.array(OPEN[:2])
    covariance = np.array([[OPEN[2], OPEN[3]], [OPEN[3], OPEN[4]]])
    move, shake, see = np.diag([1.0, KEEP]), np.diag([0.0, STEP]), np.ones(2)
    found: Steps = []
    last = math.nan
    for k, (volume, usual) in enumerate(zip(volumes, expected, strict=True)):
        if k:
            x, covariance = move @ x, move @ covariance @ move.T + shake
        center, variance = math.log(usual) + see @ x, see @ covariance @ see + NOISE
        if not volume > 0.0:
            found.append((volume / math.exp(center), math.nan))
            last = math.nan
            continue
        error, spread = math.log(volume) - center, math.sqrt(variance)
        part = 1 + math.floor((k - 1) * 16 / (len(volumes) - 1)) if k else 0
        last = error / spread / BY_TIME[part] / (BEHIND if last > 1.5 else 1.0)
        found.append((volume / math.exp(center), last))
        gain = covariance @ see / variance
        # of a surprise too great to be taken whole the same share is learnt
        share = min(1.0, CLIP * spread / abs(error))
        x = x + gain * share * error
        covariance = covariance - share * np.outer(gain, gain) * variance
    return found


def scanned(buckets: list[int], volumes: list[float], expected: list[float]) -> NDArray[np.float64]:
    curve = np.array([expected])
    bars = np.array([(0, bucket) for bucket in buckets], np.int64)
    return forecast_scan(bars, np.array(volumes), curve, filters_at_open(live(), curve))


def test_every_bar_is_forecast_as_the_textbook_does() -> None:
    random = np.random.default_rng(5)
    volumes = np.exp(random.normal(5.0, 1.0, 40)).tolist()
    # beyond what counts, above and below; a bar that did not trade
    volumes[3], volumes[7], volumes[9] = volumes[3] * 1e4, volumes[7] / 1e4, 0.0
    expected = np.exp(random.normal(5.0, 0.3, 40)).tolist()
    found = scanned(list(range(40)), volumes, expected)
    np.testing.assert_allclose(found, textbook(volumes, expected), rtol=1e-10)
    assert abs(found[3, 1]) > CLIP
    assert (found[:-1, 1] > 1.5).sum() > 2
    assert found[9, 0] == 0.0


def test_the_filter_moves_on_over_bars_that_never_came() -> None:
    kept = [2, 3, 7]
    volumes = [50.0, 80.0, 300.0]
    expected = [100.0 + k for k in range(8)]
    whole = [volumes[kept.index(k)] if k in kept else math.nan for k in range(8)]
    wanted = [step for k, step in enumerate(textbook(whole, expected)) if k in kept]
    np.testing.assert_allclose(scanned(kept, volumes, expected), wanted, rtol=1e-10)


def test_it_begins_at_the_first_bar_that_has_a_median() -> None:
    expected = [math.nan, 0.0, 100.0, 101.0]
    found = scanned([1, 2, 3], [40.0, 50.0, 80.0], expected)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], textbook([50.0, 80.0], expected[2:]), rtol=1e-10)


@pytest.mark.parametrize("nothing", ["filter", "median", "volume"])
def test_what_is_unknown_stays_unknown_and_moves_nothing(nothing: str) -> None:
    curve = np.array([[math.nan, math.nan] if nothing == "median" else [100.0, 100.0]])
    filters = filters_at_open(np.full((1, LIVE_FIELDS), math.nan) if nothing == "filter" else live(), curve)
    before = filters.copy()
    volume = math.nan if nothing == "volume" else 50.0
    assert np.isnan(forecast_scan(np.array([(0, 0)]), np.array([volume]), curve, filters)).all()
    np.testing.assert_array_equal(filters, before)


def test_instruments_have_filters_of_their_own() -> None:
    curve = np.array([[100.0, 100.0], [math.nan, 100.0]])
    bars = np.array([(0, 0), (0, 1), (1, 1)])
    filters = filters_at_open(live(2), curve)
    assert filters[:, AT].tolist() == [0.0, 1.0]
    found = forecast_scan(bars, np.array([50.0, 60.0, 60.0]), curve, filters)
    np.testing.assert_allclose(found[2], textbook([60.0], [100.0])[0], rtol=1e-10)
    assert found[1, 1] != found[2, 1]
