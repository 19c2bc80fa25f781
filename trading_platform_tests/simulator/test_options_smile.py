import numpy as np
import pytest

from trading_platform.calc.options import black76_price
from trading_platform.simulator.options_smile import price_chain, smile_vol


def test_the_smile_has_its_level_at_the_money_a_skew_and_two_wings() -> None:
    years, forward = 30 / 365, 20_000.0
    vols = [smile_vol(0.12, forward, strike, years) for strike in (17_000.0, 19_500.0, 20_000.0, 20_500.0, 24_000.0)]
    assert vols[2] == pytest.approx(0.12)
    assert vols[1] > vols[3]
    assert vols[0] > vols[1]
    assert vols[4] > vols[3]
    assert min(vols) > 0.05
    # flat beyond the widest strikes, so that it never runs away
    assert smile_vol(0.12, forward, 100.0, years) == smile_vol(0.12, forward, 5_000.0, years)


def test_a_chain_is_priced_option_by_option() -> None:
    forward, years = np.array([100.0, 101.0, 99.0]), np.array([0.1, 0.1, 0.0])
    strikes, is_call = np.array([100.0, 100.0, 104.0]), np.array([True, False, True])
    prices = price_chain(forward, years, strikes, is_call, 0.2, 0.05)
    for row in range(3):
        for column in range(3):
            vol = smile_vol(0.2, forward[row], strikes[column], years[row])
            expected = black76_price(is_call[column], forward[row], strikes[column], years[row], vol, 0.05)
            assert prices[row, column] == expected
    assert prices[2].tolist() == [0.0, 1.0, 0.0]
