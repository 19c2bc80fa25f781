"""Which sessions before a session have input for minute bars but no bars yet."""

from collections.abc import Sequence
from datetime import date

from trading_platform.batch.baselines import sessions_wanted
from trading_platform.batch.seeds import sessions_before
from trading_platform.market.sessions import SessionTable
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import IMPORTED_BARS, MINUTE_BARS


def sessions_without_bars(
    table: SessionTable, session: date, back: int, *, lake: TableStore, journals: Sequence[date]
) -> list[date]:
    """Return the sessions that baselines and seeds of `session` look at and that could have minute bars, ascending."""
    looked_at = {day for days in sessions_wanted(table, session, back).values() for day in days}
    looked_at |= set(sessions_before(table, session, back))
    with_input = {*journals, *lake.sessions(IMPORTED_BARS.name)}
    return sorted(looked_at & with_input - set(lake.sessions(MINUTE_BARS.name)))
