"""When a day's work is due, from the hours of its session: no partition, no weekday, no constant tells it."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from trading_platform.errors import UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.session_kinds import Phase
from trading_platform.market.sessions import SessionClass, SessionTable

_LONGEST_PAUSE_DAYS = 15

_LATER = {SessionClass.MCX, SessionClass.NSE_CURRENCY, SessionClass.BSE_CURRENCY}
"""Classes that go on after shares and their derivatives; on a day that is theirs alone they count."""


def closes_at(table: SessionTable, session: date) -> datetime:
    """Return when shares, indices and their derivatives are over on a date, closing auctions included.

    A recorded date on which no hours are known is over when the date is.
    """
    ends = [phase.end for phase in _phases(table, session)]
    return max(ends, default=datetime.combine(session + timedelta(days=1), time(), IST))


def _phases(table: SessionTable, session: date) -> list[Phase]:
    open_then = [one for one in SessionClass if table.is_covered(one, session) and table.is_session(one, session)]
    phases: list[Phase] = []
    for one in [each for each in open_then if each not in _LATER] or open_then:
        try:
            phases += table.session(one, session).phases
        except UnknownSessionDate:  # a special session of which no source tells the hours
            continue
    return phases


def due_session(
    table: SessionTable, recorded: Sequence[date], now: datetime, after: timedelta = timedelta()
) -> date | None:
    """Return the newest recorded session that closed at least `after` ago, None when there is none."""
    return next(reversed(over_sessions(table, recorded, now, after)), None)


def over_sessions(table: SessionTable, recorded: Sequence[date], now: datetime, after: timedelta) -> list[date]:
    """Return the recorded sessions that closed at least `after` ago, ascending."""
    today = now.astimezone(IST).date()
    past = sorted(session for session in recorded if session <= today)
    return [session for session in past if closes_at(table, session) + after <= now]


def opens_at(table: SessionTable, session: date) -> datetime | None:
    """Return when the first phase of shares and their derivatives begins on a date; None when no hours are known."""
    return min((phase.start for phase in _phases(table, session)), default=None)


def session_to_prepare(table: SessionTable, now: datetime) -> date:
    """Return the session that runs or comes next: on a session's date until its close, then the one after.

    Raise UnknownSessionDate where the table ends before it.
    """
    today = now.astimezone(IST).date()
    for day in (today + timedelta(days=ahead) for ahead in range(_LONGEST_PAUSE_DAYS)):
        if table.any_session_dates(day, day) and closes_at(table, day) > now:
            return day
    raise UnknownSessionDate(f"no session within {_LONGEST_PAUSE_DAYS} days of {today}; name one")
