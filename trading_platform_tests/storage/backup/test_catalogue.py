"""Retention keeps the newest of each day and week that has a backup, and never removes the last one."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.market.clock import IST
from trading_platform.storage.backup.catalogue import kept, list_backups, newest_good, prune


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


# 2026-08-17 is a Monday
MADE = [
    at(text)
    for text in ("2026-08-04T19:00", "2026-08-14T19:00", "2026-08-19T19:00", "2026-08-20T09:00", "2026-08-20T19:00")
]


@pytest.mark.parametrize(
    ("days", "weeks", "places"),
    [(1, 0, [4]), (2, 0, [2, 4]), (9, 0, [0, 1, 2, 4]), (1, 2, [1, 4]), (1, 3, [0, 1, 4])],
)
def test_the_newest_of_each_day_and_week_is_kept(days: int, weeks: int, places: list[int]) -> None:
    assert kept(MADE, days=days, weeks=weeks) == {MADE[place] for place in places}


@given(st.lists(st.datetimes(timezones=st.just(IST)), min_size=1, max_size=30), st.integers(1, 20), st.integers(0, 9))
def test_the_last_one_is_always_kept_and_no_more_than_asked(made: list[datetime], days: int, weeks: int) -> None:
    chosen = kept(made, days=days, weeks=weeks)
    assert max(made) in chosen
    assert chosen <= set(made)
    assert len(chosen) <= days + weeks


def test_a_folder_that_is_not_there_holds_no_backup(tmp_path: Path) -> None:
    assert list_backups(tmp_path / "none") == []
    assert newest_good(tmp_path / "none") is None
    assert prune(tmp_path / "none", days=1, weeks=1) == []


def test_a_folder_of_somebody_else_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (one,) = list_backups(tmp_path)
    assert not one.is_good
    assert prune(tmp_path, days=1, weeks=0) == []
    assert (tmp_path / "photos").is_dir()
