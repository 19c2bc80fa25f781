"""Which session is prepared, and when it opens and closes, on ordinary and on odd days."""

from datetime import date, datetime, timedelta

import pytest

from trading_platform.errors import UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.day_times import opens_at, over_sessions, session_to_prepare

TABLE = load_session_table()
THURSDAY, FRIDAY, MONDAY = date(2026, 7, 30), date(2026, 7, 31), date(2026, 8, 3)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST)


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (at(FRIDAY, 0), FRIDAY),
        (at(FRIDAY, 12), FRIDAY),
        (at(FRIDAY, 20), MONDAY),
        (at(date(2026, 8, 2), 12), MONDAY),  # a Sunday
        (at(date(2026, 1, 24), 12), date(2026, 1, 27)),  # a Saturday, then Republic Day on Monday
        (at(date(2025, 2, 1), 7), date(2025, 2, 1)),  # the budget session on a Saturday
        (at(date(2024, 11, 1), 12), date(2024, 11, 1)),  # Diwali: shut by day, muhurat trading in the evening
        (at(date(2024, 11, 1), 20), date(2024, 11, 4)),
    ],
)
def test_the_session_that_runs_or_comes_next_is_prepared(now: datetime, session: date) -> None:
    assert session_to_prepare(TABLE, now) == session


def test_a_table_that_ends_is_named() -> None:
    with pytest.raises(UnknownSessionDate):
        session_to_prepare(TABLE, at(date(2031, 1, 1), 12))


@pytest.mark.parametrize(
    ("session", "opens"),
    [
        (FRIDAY, at(FRIDAY, 9, 0)),  # pre-open
        (date(2024, 11, 1), at(date(2024, 11, 1), 17, 45)),
        (date(2026, 8, 2), None),
    ],
)
def test_the_open_is_that_of_the_first_phase(session: date, opens: datetime | None) -> None:
    assert opens_at(TABLE, session) == opens


def test_sessions_are_over_after_their_last_phase() -> None:
    after = timedelta(minutes=20)
    assert over_sessions(TABLE, [FRIDAY, THURSDAY], at(FRIDAY, 16, 19), after) == [THURSDAY]
    assert over_sessions(TABLE, [FRIDAY, THURSDAY], at(FRIDAY, 18), after) == [THURSDAY, FRIDAY]
