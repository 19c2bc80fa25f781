"""Which sessions before a session are looked at, and which of them have input for minute bars but not its bars yet."""

from collections.abc import Sequence
from datetime import date

from trading_platform.batch.baselines import sessions_wanted
from trading_platform.batch.seeds import sessions_before
from trading_platform.market.sessions import SessionTable
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import HISTORICAL_BARS, IMPORTED_BARS, MINUTE_BARS


def sessions_looked_at(table: SessionTable, session: date, back: int) -> list[date]:
    """Return the sessions that baselines and seeds of `session` look at, ascending."""
    looked_at = {day for days in sessions_wanted(table, session, back).values() for day in days}
    return sorted(looked_at | set(sessions_before(table, session, back)))


def sessions_without_bars(
    table: SessionTable, session: date, back: int, *, lake: TableStore, journals: Sequence[date]
) -> list[date]:
    """Return the sessions looked at that could have minute bars and have none, or fewer than a backfill brought."""
    made, fetched = lake.counts(MINUTE_BARS.name), lake.counts(HISTORICAL_BARS.name)
    first_hand = {*journals, *lake.sessions(IMPORTED_BARS.name)}
    behind = {day for day, rows in fetched.items() if day not in first_hand and made.get(day) != rows}
    return sorted(set(sessions_looked_at(table, session, back)) & ((first_hand - set(made)) | behind))
