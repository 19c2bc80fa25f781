from datetime import date

import numpy as np
import pytest

from trading_platform.errors import NoSessionError, UnknownSessionDate
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.simulator.synthetic_levels import FIRST_DAY, day_levels, ordinal_of, roster

TABLE = load_session_table()


def test_sessions_continue_each_other() -> None:
    for ordinal in range(1, 40):
        before, today = day_levels(7, 30, ordinal - 1), day_levels(7, 30, ordinal)
        np.testing.assert_array_equal(today.previous, before.closed)
        assert np.abs(np.log(today.opened / before.closed)).max() < 0.1


def test_a_session_is_the_same_whatever_was_made_before() -> None:
    late = day_levels(7, 30, 500)
    day_levels(7, 30, 3)
    np.testing.assert_array_equal(day_levels(7, 30, 500).closed, late.closed)
    assert not np.allclose(day_levels(8, 30, 500).closed, late.closed)


def test_ten_years_stay_in_sight_of_the_start() -> None:
    ratio = day_levels(1, 200, 2600).closed / roster(1, 200).base
    assert 0.05 < ratio.min() < ratio.max() < 20.0


def test_ordinals_count_sessions() -> None:
    days = TABLE.sessions(SessionClass.NSE_CASH, FIRST_DAY, date(2016, 2, 29))
    assert [ordinal_of(day, TABLE) for day in days] == list(range(len(days)))
    with pytest.raises(NoSessionError, match="2016-01-26"):
        ordinal_of(date(2016, 1, 26), TABLE)
    with pytest.raises(UnknownSessionDate):
        ordinal_of(date(2015, 1, 5), TABLE)


def test_weights_are_shares_of_one() -> None:
    assert roster(1, 200).weight.sum() == pytest.approx(1.0)
    assert roster(1, 200).weight.min() > 0.0
