import numpy as np
import pytest
from numpy.typing import NDArray

from trading_platform.calc.volume.surprises import PARTS_OF_DAY, STIRRED_Z, part_of_day, surprise_scales

SYMBOLS, SESSIONS, BINS = 40, 30, 65
PART = np.array([0, *np.repeat(np.arange(1, 17), 4)])


def _normal(seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((SYMBOLS, SESSIONS, BINS))


@pytest.mark.parametrize("bins", [2, 7, 26, 75, 375])
def test_a_day_of_any_length_has_its_opening_bar_and_parts_in_order(bins: int) -> None:
    parts = [part_of_day(bin_, bins) for bin_ in range(bins)]
    assert parts[0] == 0
    assert parts[1] == 1
    assert parts == sorted(parts)
    assert max(parts) <= PARTS_OF_DAY
    assert part_of_day(0, 1) == 0


# of a standard normal 3% lie above 1.8808, not above 2
NORMAL = 1.8808 / 2.0


def test_each_time_of_day_has_the_scale_that_its_surprises_were_made_with() -> None:
    made = 1.0 + 0.6 * np.cos(np.linspace(0.0, np.pi, BINS))
    found = surprise_scales(_normal() * made)
    # the ends are drawn to their neighbours
    np.testing.assert_allclose(found.by_part[PART][1:], made[1:] * NORMAL, rtol=0.2)
    np.testing.assert_allclose(found.by_symbol, 1.0, atol=0.1)
    assert found.stirred == pytest.approx(1.0, abs=0.1)


def test_each_symbol_has_its_scale_less_what_the_prior_draws_it_to_all() -> None:
    made = np.exp(np.linspace(-0.5, 0.5, SYMBOLS))
    found = surprise_scales(_normal() * made[:, None, None])
    own = SESSIONS * BINS
    told = np.polyfit(np.log(made), np.log(found.by_symbol), 1)[0]
    assert told == pytest.approx(own / (own + 1000.0), abs=0.05)


def test_behind_a_surprise_as_few_are_left_as_elsewhere() -> None:
    wide = _normal(2)
    for bin_ in range(1, BINS):
        wide[:, :, bin_] *= np.where(wide[:, :, bin_ - 1] > STIRRED_Z, 1.8, 1.0)
    found = surprise_scales(wide)
    read = wide / found.by_part[PART] / found.by_symbol[:, None, None]
    behind = read[:, :, 1:][read[:, :, :-1] > STIRRED_Z] / found.stirred
    assert found.stirred > 1.4
    assert 0.02 < (behind > 2.0).mean() < 0.05
    assert 0.025 < (read > 2.0).mean() < 0.045


def test_the_opening_bin_stands_for_itself() -> None:
    wild = _normal(3)
    wild[:, :, 0] *= 3.0
    by_part = surprise_scales(wild).by_part
    assert by_part[0] > 2.0 * by_part[1]
    assert by_part[1] == pytest.approx(by_part[8], rel=0.15)


def test_what_is_not_known_counts_nothing() -> None:
    some = np.where(np.random.default_rng(4).random((SYMBOLS, SESSIONS, BINS)) < 0.5, np.nan, _normal())
    found = surprise_scales(some)
    assert np.isfinite(found.by_part).all()
    assert np.isfinite(found.by_symbol).all()
    nothing = surprise_scales(np.full((2, 3, 4), np.nan))
    assert (nothing.by_part == 1.0).all()
    assert (nothing.by_symbol == 1.0).all()
    assert nothing.stirred == 1.0
