"""A backfill of what is there goes on where it was killed, on the same day and for the same wish."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from trading_platform.batch.backfill_again import Again
from trading_platform.errors import LakeError
from trading_platform.market.clock import IST
from trading_platform_tests.batch.backfill_rows import MONDAY, TUESDAY

BEGUN = datetime(2026, 8, 1, 23, 0, tzinfo=IST)
LATER = BEGUN + timedelta(minutes=30)


def again(folder: Path, *names: str) -> Again:
    return Again(folder, [MONDAY, TUESDAY], names)


def test_what_was_not_ended_goes_on(tmp_path: Path) -> None:
    assert again(tmp_path, "ALPHA", "BETA").begin(BEGUN) == BEGUN
    assert again(tmp_path, "BETA", "ALPHA").begin(LATER) == BEGUN
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_what_was_ended_begins_anew(tmp_path: Path) -> None:
    again(tmp_path).begin(BEGUN)
    again(tmp_path).end()
    assert list(tmp_path.iterdir()) == []
    assert again(tmp_path).begin(LATER) == LATER


def test_another_wish_is_another_beginning(tmp_path: Path) -> None:
    again(tmp_path).begin(BEGUN)
    assert again(tmp_path, "ALPHA").begin(LATER) == LATER
    assert Again(tmp_path, [MONDAY], ()).begin(LATER) == LATER
    assert again(tmp_path).begin(LATER) == BEGUN


def test_on_another_day_prices_are_adjusted_otherwise(tmp_path: Path) -> None:
    again(tmp_path).begin(BEGUN)
    next_day = BEGUN + timedelta(hours=1)
    assert again(tmp_path).begin(next_day) == next_day


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"since": 1}', b'{"since": "2026-08-01T23:00:00"}', b'{"since": "x"}']
)
def test_a_file_that_says_nothing_begins_anew(tmp_path: Path, content: bytes) -> None:
    again(tmp_path).begin(BEGUN)
    next(tmp_path.iterdir()).write_bytes(content)
    assert again(tmp_path).begin(LATER) == LATER


def test_a_clock_that_went_back_begins_anew(tmp_path: Path) -> None:
    again(tmp_path).begin(LATER)
    assert again(tmp_path).begin(BEGUN) == BEGUN


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="cannot be written"):
        again(tmp_path / "missing").begin(BEGUN)
