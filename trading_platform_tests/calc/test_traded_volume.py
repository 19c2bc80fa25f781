import numpy as np
import pytest

from trading_platform.calc.pass_layout import CLOSED_VOLUME, DAY_VOLUME, EVENT_TIME, FROM_ZERO, ROW_FIELDS
from trading_platform.calc.traded_volume import FELL, FIRST_SNAPSHOT, NEWER, REORDERED, SAME, traded_volume_step


def row(from_zero: float) -> np.ndarray:
    fresh = np.zeros(ROW_FIELDS)
    fresh[FROM_ZERO] = from_zero
    return fresh


def test_the_first_volume_counts_from_zero_or_is_a_snapshot() -> None:
    whole, joined = row(1.0), row(0.0)
    assert traded_volume_step(whole, 70.0, 5.0) == (70.0, NEWER)
    assert traded_volume_step(joined, 70.0, 5.0) == (0.0, FIRST_SNAPSHOT)
    assert (whole[CLOSED_VOLUME], joined[CLOSED_VOLUME]) == (0.0, 70.0)


@pytest.mark.parametrize(
    ("volume", "time", "expected"),
    [(75.0, 9.0, (5.0, NEWER)), (70.0, 9.0, (0.0, SAME)), (60.0, 9.0, (0.0, REORDERED)), (60.0, 10.0, (0.0, FELL))],
)
def test_what_the_second_volume_is(volume: float, time: float, expected: tuple[float, int]) -> None:
    state = row(1.0)
    traded_volume_step(state, 70.0, 9.0)
    state[EVENT_TIME] = 9.0
    assert traded_volume_step(state, volume, time) == expected
    assert state[DAY_VOLUME] == max(70.0, volume)
    # after a fall only what exceeds the highest is traded
    assert traded_volume_step(state, 80.0, 11.0)[0] == 80.0 - max(70.0, volume)
