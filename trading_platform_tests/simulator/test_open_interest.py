import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from trading_platform.simulator.open_interest import bar_interest, opening_interest
from trading_platform_tests.simulator.made_bars import INDEX, OPTION, STOCK

CRUDE = 300 * 256 + 7


def column(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_only_what_expires_has_open_interest_at_the_open() -> None:
    opening = opening_interest(column(STOCK, INDEX, OPTION, CRUDE), column(1, 1, 75, 100))
    assert opening[:2].tolist() == [0, 0]
    assert (opening[2:] >= column(75, 100) * 2000).all()
    assert (opening[2:] % column(75, 100) == 0).all()
    assert (opening_interest(column(OPTION), column(10**9)) < 2**32).all()


@given(st.lists(st.integers(0, 4_000_000_000), min_size=1, max_size=40), st.sampled_from([1, 75, 100_000]))
@example([0] * 12 + [100_000], 100_000)
def test_a_bar_moves_it_by_at_most_half_of_what_it_traded(volumes: list[int], lot: int) -> None:
    count = len(volumes)
    starts, traded = np.arange(count) * 60, np.array(volumes)
    levels = bar_interest(np.full(count, OPTION), starts, traded, np.full(count, lot))
    assert ((levels >= 0) & (levels < 2**32)).all()
    before = np.concatenate([opening_interest(column(OPTION), column(lot)), levels[:-1]])
    inside = (levels > 0) & (before > 0) & (np.maximum(levels, before) < 2_000_000_000)
    assert (np.abs(levels - before)[inside] <= traded[inside] / 2).all()
    assert (bar_interest(np.full(count, STOCK), starts, traded, np.full(count, lot)) == 0).all()


def test_an_instrument_alone_has_what_it_has_among_others() -> None:
    token = np.repeat(column(STOCK, OPTION, CRUDE), 30)
    start, volume = np.tile(np.arange(30) * 60, 3), np.full(90, 75_000)
    together = bar_interest(token, start, volume, np.full(90, 75))
    alone = bar_interest(token[60:], start[60:], volume[60:], np.full(30, 75))
    assert together[60:].tolist() == alone.tolist()
    assert len(set(alone.tolist())) > 10
