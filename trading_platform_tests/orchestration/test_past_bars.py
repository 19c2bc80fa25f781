"""Bars are made first for sessions that could have them and have not, and for no other."""

from datetime import date

from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.past_bars import sessions_without_bars
from trading_platform_tests.batch.lake_rows import INFY, minute_bars
from trading_platform_tests.batch.memory_lake import MemoryLake


def test_sessions_without_bars() -> None:
    table, session = load_session_table(), date(2026, 7, 30)
    held, recorded, too_old = date(2026, 7, 29), date(2026, 7, 28), date(2026, 7, 1)
    lake = MemoryLake()
    lake.write_session("minute_bars", held, minute_bars(held, INFY, "INFY", closes=[1.0]))
    journals = [too_old, recorded, held, session]
    assert sessions_without_bars(table, session, 5, lake=lake, journals=journals) == [recorded]
