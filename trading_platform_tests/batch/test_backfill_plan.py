"""Requests are for what is missing, of sessions that the instrument has, in windows that Kite takes."""

from datetime import date, timedelta

import pytest

from trading_platform.batch.backfill_plan import MOST_DAYS, Target, past_sessions, plan_requests
from trading_platform.market.session_kinds import SessionClass
from trading_platform.market.sessions import load_session_table
from trading_platform_tests.batch.backfill_rows import ALPHA, INDEX, MONDAY, TUESDAY, WEDNESDAY, WEEK

TABLE = load_session_table()


@pytest.mark.parametrize(
    ("until", "count", "first", "last", "sessions"),
    [
        (WEDNESDAY, 1, WEDNESDAY, WEDNESDAY, 1),
        (WEDNESDAY, 3, MONDAY, WEDNESDAY, 3),
        (date(2026, 8, 2), 2, date(2026, 7, 30), date(2026, 7, 31), 2),  # from a Sunday
        (date(2025, 2, 2), 1, date(2025, 2, 1), date(2025, 2, 1), 1),  # the budget session on a Saturday
    ],
)
def test_sessions_are_counted_back_from_a_date(until: date, count: int, first: date, last: date, sessions: int) -> None:
    found = past_sessions(TABLE, until, count)
    assert (found[0], found[-1], len(found)) == (first, last, sessions)


def test_a_date_that_only_another_class_trades_on_comes_along() -> None:
    # 2026-03-03 is Holi for shares, and MCX trades in the evening
    found = past_sessions(TABLE, date(2026, 3, 4), 2)
    assert found == [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)]
    assert not TABLE.is_session(SessionClass.NSE_CASH_FNO, date(2026, 3, 3))
    plan = plan_requests([ALPHA], found, table=TABLE, done=frozenset(), listed={})
    assert [one.sessions for one in plan.requests] == [(date(2026, 3, 2), date(2026, 3, 4))]


def test_what_is_done_is_not_asked_again() -> None:
    done = frozenset({(TUESDAY, ALPHA.name, None)})
    plan = plan_requests([ALPHA, INDEX], WEEK, table=TABLE, done=done, listed={})
    assert [(one.target.symbol, one.sessions) for one in plan.requests] == [
        ("ALPHA", (MONDAY, WEDNESDAY)),
        ("NIFTY 50", WEEK),
    ]


def test_a_refusal_holds_for_the_token_that_was_refused() -> None:
    done = frozenset((day, ALPHA.name, ALPHA.token) for day in WEEK)
    moved = Target(ALPHA.token + 256, *ALPHA.name, ALPHA.session_class, is_index=False)
    assert plan_requests([ALPHA], WEEK, table=TABLE, done=done, listed={}).requests == ()
    assert len(plan_requests([moved], WEEK, table=TABLE, done=done, listed={}).requests) == 1


def test_what_a_dump_does_not_list_is_not_asked() -> None:
    listed = {MONDAY: frozenset({INDEX.name}), TUESDAY: frozenset({ALPHA.name})}
    plan = plan_requests([ALPHA], WEEK, table=TABLE, done=frozenset(), listed=listed)
    assert plan.unlisted == ((ALPHA, MONDAY),)
    assert [one.sessions for one in plan.requests] == [(TUESDAY, WEDNESDAY)]


def test_no_window_spans_more_than_kite_takes() -> None:
    sessions = past_sessions(TABLE, WEDNESDAY, 100)
    requests = plan_requests([ALPHA], sessions, table=TABLE, done=frozenset(), listed={}).requests
    traded = [day for day in sessions if TABLE.is_session(SessionClass.NSE_CASH, day)]
    assert [day for one in requests for day in one.sessions] == traded
    spans = [one.sessions[-1] + timedelta(days=1) - one.sessions[0] for one in requests]
    assert max(spans) <= timedelta(days=MOST_DAYS)
    assert len(requests) == 3
