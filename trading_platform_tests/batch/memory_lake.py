"""A lake that holds frames in memory."""

from datetime import date

import polars as pl

from trading_platform.errors import MissingInput
from trading_platform.wire.lake_tables import table_named


class MemoryLake:
    """Satisfies ports.TableStore."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, date], pl.DataFrame] = {}

    def write_session(self, table: str, session: date, rows: pl.DataFrame) -> int:
        self.held[table, session] = table_named(table).conform(rows)
        return rows.height

    def read_sessions(self, table: str, sessions: list[date]) -> pl.DataFrame:
        missing = [day for day in sessions if (table, day) not in self.held]
        if missing:
            raise MissingInput(f"{table} holds nothing of {missing}")
        return pl.concat([self.held[table, day] for day in sessions])

    def sessions(self, table: str) -> list[date]:
        return sorted(day for name, day in self.held if name == table)

    def counts(self, table: str) -> dict[date, int]:
        return {day: rows.height for (name, day), rows in self.held.items() if name == table}
