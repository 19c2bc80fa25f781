"""Sessions as partitions: the dates on which any covered exchange is open, and the refusal of every other date."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import dagster as dg

from trading_platform.errors import MissingInput, NoSessionError, UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.sessions import SessionClass, SessionTable, load_session_table

LINEAGE_SESSIONS = 20
"""How many sessions back the lineage of baselines and seeds is drawn; what is read is told by the settings."""

_KEY = re.compile(r"\d{4}-\d{2}-\d{2}")


def session_partitions(table: SessionTable) -> dg.DailyPartitionsDefinition:
    """Return one partition for each session of the table, up to and including the next one to come."""
    first, last = table_span(table)
    sessions = set(table.any_session_dates(first, last))
    days = (first + timedelta(days=after) for after in range((last - first).days + 1))
    return dg.DailyPartitionsDefinition(
        start_date=first.isoformat(),
        end_date=(last + timedelta(days=1)).isoformat(),
        timezone=str(IST),
        end_offset=1,
        # weekends are listed one by one: a cron rule could not let special week-end sessions in again
        exclusions=[datetime(day.year, day.month, day.day, tzinfo=IST) for day in days if day not in sessions],
    )


def table_span(table: SessionTable) -> tuple[date, date]:
    """Return the first and the last date that any class is covered on."""
    spans = [table.covered(one) for one in SessionClass if table.rows.coverage.get(one)]
    return min(first for first, _ in spans), max(last for _, last in spans)


SESSIONS = session_partitions(load_session_table())

PREVIOUS_SESSIONS = dg.TimeWindowPartitionMapping(
    start_offset=-LINEAGE_SESSIONS, end_offset=-1, allow_nonexistent_upstream_partitions=True
)


def require_session(text: str, table: SessionTable) -> date:
    """Return the session that a partition key or argument names; refuse by name what is none."""
    if not _KEY.fullmatch(text):
        raise NoSessionError(f"{text!r} is no date as YYYY-MM-DD; name a session, for example 2026-08-21")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NoSessionError(f"{text} is no day of the calendar; name a session, for example 2026-08-21") from None
    if not table.any_session_dates(day, day):
        why = table.closed_because(SessionClass.NSE_CASH_FNO, day)
        raise NoSessionError(f"{text} is no session: every covered exchange is closed ({why}); name another date")
    if not SESSIONS.has_partition_key(text):
        raise UnknownSessionDate(f"{text} is a session that lies ahead; only the next one can be prepared")
    return day


def latest_session_with_input(journals: Sequence[date], tables: Sequence[date]) -> tuple[date, str]:
    """Return the newest session that a journal or the lake holds input for, and which of both does."""
    if not journals and not tables:
        raise MissingInput(
            "neither a journal nor the lake holds any session; record or play one, or run "
            "`trading-platform import-bars FILE`, or name a session"
        )
    newest = max([*journals, *tables])
    return newest, "a journal" if newest in journals else "the lake"


def contiguous(sessions: Sequence[date], every: Sequence[date]) -> list[tuple[date, date]]:
    """Return the stretches (first, last) of `sessions` that have no other session of `every` in between."""
    place = {session: at for at, session in enumerate(every)}
    stretches: list[tuple[date, date]] = []
    for session in sorted(sessions):
        if stretches and place[session] == place[stretches[-1][1]] + 1:
            stretches[-1] = (stretches[-1][0], session)
        else:
            stretches.append((session, session))
    return stretches
