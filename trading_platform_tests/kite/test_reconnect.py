import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.kite.reconnect import Reconnect, ReconnectLimits


class Fixed:
    def __init__(self, draw: float) -> None:
        self._draw = draw

    def random(self) -> float:
        return self._draw


def pauses(draw: float, lives: list[float]) -> list[float]:
    reconnect = Reconnect(ReconnectLimits(), Fixed(draw))
    return [reconnect.pause_after(up) for up in lives]


def test_pauses_double_up_to_the_longest() -> None:
    assert pauses(0.0, [0.0] * 8) == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_jitter_shortens_by_at_most_half() -> None:
    assert pauses(0.5, [0.0] * 3) == [0.75, 1.5, 3.0]


def test_a_connection_that_settled_starts_anew() -> None:
    assert pauses(0.0, [0.0, 0.0, 3600.0, 0.0]) == [1.0, 2.0, 1.0, 2.0]


def test_one_that_is_dropped_at_once_does_not() -> None:
    assert pauses(0.0, [9.9, 9.9, 9.9]) == [1.0, 2.0, 4.0]


def test_the_same_seed_gives_the_same_pauses_and_sockets_differ() -> None:
    def drawn(seed: list[int]) -> list[float]:
        reconnect = Reconnect(ReconnectLimits(), np.random.default_rng(seed))
        return [reconnect.pause_after(0.0) for _ in range(5)]

    assert drawn([1, 0]) == drawn([1, 0])
    assert drawn([1, 0]) != drawn([1, 1])


@given(st.integers(0, 2**32), st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_no_pause_leaves_its_limits(seed: int, lives: list[float]) -> None:
    reconnect = Reconnect(ReconnectLimits(), np.random.default_rng(seed))
    for up in lives:
        assert 0.5 <= reconnect.pause_after(up) <= 30.0
