"""Partitions are sessions, nothing else; a date that is none is refused by its name."""

from datetime import date

import pytest

from trading_platform.errors import MissingInput, NoSessionError, UnknownSessionDate
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.partitions import (
    SESSIONS,
    contiguous,
    latest_session_with_input,
    require_session,
    table_span,
)

TABLE = load_session_table()


@pytest.mark.parametrize(
    ("day", "is_session"),
    [
        ("2026-08-21", True),
        ("2026-08-22", False),  # a Saturday
        ("2026-01-26", False),  # Republic Day
        ("2025-02-01", True),  # budget session on a Saturday
        ("2024-11-01", True),  # muhurat trading in the evening of a holiday
    ],
)
def test_keys_are_sessions(day: str, is_session: bool) -> None:
    assert SESSIONS.has_partition_key(day) is is_session


def test_keys_equal_the_session_table() -> None:
    keys = [key for key in SESSIONS.get_partition_keys() if key < "2026-08-01"]
    assert keys == [str(day) for day in TABLE.any_session_dates(table_span(TABLE)[0], date(2026, 7, 31))]


@pytest.mark.parametrize(
    ("text", "error", "named"),
    [
        ("2026-08-22", NoSessionError, "2026-08-22 is no session.*Saturday"),
        ("2026-01-26", NoSessionError, "2026-01-26 is no session.*Republic Day"),
        ("2026-02-30", NoSessionError, "2026-02-30 is no day of the calendar"),
        ("yesterday", NoSessionError, "'yesterday' is no date"),
        ("2026-8-21", NoSessionError, "'2026-8-21' is no date"),
        ("1999-01-04", UnknownSessionDate, "1999-01-04"),
        ("2041-01-04", UnknownSessionDate, "2041-01-04"),
    ],
)
def test_what_is_no_session_is_refused_by_name(text: str, error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        require_session(text, TABLE)


def test_a_session_is_accepted() -> None:
    assert require_session("2026-08-21", TABLE) == date(2026, 8, 21)


def test_the_latest_session_says_who_holds_it() -> None:
    old, new = date(2026, 8, 20), date(2026, 8, 21)
    assert latest_session_with_input([new], [old]) == (new, "a journal")
    assert latest_session_with_input([old], [new]) == (new, "the lake")
    assert latest_session_with_input([new], [new]) == (new, "a journal")
    with pytest.raises(MissingInput, match="neither a journal nor the lake"):
        latest_session_with_input([], [])


def test_stretches_break_where_a_session_is_left_out() -> None:
    days = [date(2026, 8, day) for day in (17, 18, 19, 20, 21)]
    assert contiguous([days[0], days[1], days[3]], days) == [(days[0], days[1]), (days[3], days[3])]
    assert contiguous([], days) == []
    # a week-end is no gap
    assert contiguous([date(2026, 8, 14), date(2026, 8, 17)], [date(2026, 8, 14), *days]) == [
        (date(2026, 8, 14), date(2026, 8, 17))
    ]
