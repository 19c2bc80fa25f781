"""Instruments of past days from a folder of dumps, for whoever meets tokens of those days."""

from datetime import date
from pathlib import Path

from trading_platform.batch.instrument_dump import day_of, read_dump
from trading_platform.batch.reference import dump_path
from trading_platform.errors import MissingInput, PlatformError
from trading_platform.market.instruments import InstrumentDay

_DAYS_IN_MEMORY = 2


class DumpDays:
    """The dumps of a folder; those used last stay in memory, and one that cannot be read is tried once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._days: dict[date, InstrumentDay] = {}
        self._refused: dict[date, PlatformError] = {}

    def __call__(self, session: date) -> InstrumentDay:
        """Return the instruments of a day; raise MissingInput, or what is wrong with its file."""
        if session in self._refused:
            raise self._refused[session]
        if session not in self._days:
            try:
                found = self._read(session)
            except PlatformError as error:
                self._refused[session] = error
                raise
            while len(self._days) >= _DAYS_IN_MEMORY:
                del self._days[next(iter(self._days))]
            self._days[session] = found
        self._days[session] = self._days.pop(session)
        return self._days[session]

    def _read(self, session: date) -> InstrumentDay:
        path = dump_path(self._folder, session)
        if path is None:
            raise MissingInput(
                f"no dump of {session} at {self._folder}/instruments_{session:%Y%m%d}.csv (or .csv.gz): put it there"
            )
        return day_of(session, read_dump(path).rows)
