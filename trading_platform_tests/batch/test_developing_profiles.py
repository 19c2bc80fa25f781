"""At each end of a bar stands the profile of what was traded until then; the last one is the session's."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.developing_profiles import DEVELOPING, developing_profile
from trading_platform.batch.profiles import Grid, Traded, profile_row
from trading_platform.market.clock import IST

OPENS = datetime(2026, 7, 30, 9, 15, tzinfo=IST)
GRID = Grid(0.05, 2)
_SAME = ("volume", "poc", "poc_tied", "val", "vah", "value_area_volume", "ib_high", "ib_low", "poc_shifts")


def wandering(*, ticks: bool) -> Traded:
    """Return trades over five hours with minutes in which nothing is traded, ticks several a minute."""
    random = np.random.default_rng(7)
    count = 900 if ticks else 300
    after = np.sort(random.choice(5 * 3600, count, replace=False)) if ticks else np.arange(count) * 60
    middle = np.rint(2000 + np.cumsum(random.normal(0, 4, count))) * 0.05
    reach = 0.0 if ticks else 0.3
    volume = random.integers(0, 900, count)
    volume[:2] = 0
    return Traded(after.astype(np.int64), middle - reach, middle + reach, middle, volume.astype(np.int64))


def first(traded: Traded, count: int) -> Traded:
    parts = (traded.after, traded.low, traded.high, traded.close, traded.volume)
    return Traded(*(part[:count] for part in parts))


@pytest.mark.parametrize("ticks", [False, True])
def test_every_row_is_the_profile_of_what_was_traded_until_then(ticks: bool) -> None:
    traded, day_atr = wandering(ticks=ticks), 8.0
    rows = developing_profile(traded, GRID, OPENS, day_atr)
    ends = sorted({int(after) // 60 for after in traded.after})
    assert rows.schema == DEVELOPING
    assert rows["end"].is_sorted()
    for row in [*rows.head(3).iter_rows(named=True), *rows.sample(25, seed=1).iter_rows(named=True)]:
        seconds = int((row["end"] - OPENS).total_seconds())
        assert seconds // 60 - 1 in ends
        until = profile_row(first(traded, int((traded.after < seconds).sum())), GRID, day_atr)
        assert {name: row[name] for name in _SAME} == {name: until[name] for name in _SAME}
    whole, last = profile_row(traded, GRID, day_atr), rows.row(-1, named=True)
    assert {name: last[name] for name in _SAME} == {name: whole[name] for name in _SAME}
    assert whole["poc_shifts"] > 0
    assert last["poc_moved"] == pytest.approx(whole["developing_poc"][-1] - whole["developing_poc"][-2])


def test_what_comes_later_changes_no_row() -> None:
    traded = wandering(ticks=True)
    rows = developing_profile(traded, GRID, OPENS, float("nan"))
    half = first(traded, 450)
    before = developing_profile(half, GRID, OPENS, float("nan"))
    # the last minute may go on
    assert rows.head(before.height - 1).equals(before.head(-1))
    assert before["poc_shifts"].null_count() == before.height


def test_nothing_traded_has_no_rows() -> None:
    nothing = first(wandering(ticks=False), 2)
    assert developing_profile(nothing, GRID, OPENS, 8.0).equals(pl.DataFrame(schema=DEVELOPING))
    assert developing_profile(first(nothing, 0), GRID, OPENS, 8.0).is_empty()
