"""The folder of dumps: each day's instruments put there as Kite gave them, and read for whoever meets their tokens."""

from datetime import date
from pathlib import Path

from trading_platform.batch.dump_file import DumpText
from trading_platform.batch.instrument_dump import day_of, parse_dump, read_dump
from trading_platform.batch.reference import dump_path
from trading_platform.errors import BadFileError, MissingInput, PlatformError
from trading_platform.market.instruments import InstrumentDay

_DAYS_IN_MEMORY = 2
_NAME = "instruments_????????.csv*"


def keep_dump(folder: Path, session: date, content: bytes) -> Path:
    """Put the dump of a day into the folder, whole or not at all; raise BadFileError for what is no dump."""
    path = folder / f"instruments_{session:%Y%m%d}.csv"
    if parse_dump(DumpText(content), name=f"Kite's dump of {session}").rows.is_empty():
        raise BadFileError(f"Kite's dump of {session} lists nothing: fetch it again later")
    unfinished = path.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(content)
        return unfinished.replace(path)
    except OSError as error:
        raise BadFileError(f"{path} cannot be written: {error.strerror or error}; mend that") from error


def dump_sessions(folder: Path) -> list[date]:
    """Return the days that the folder holds a dump of, ascending."""
    days = (path.name.removeprefix("instruments_").split(".")[0] for path in folder.glob(_NAME))
    return sorted({date.fromisoformat(day) for day in days if _is_date(day)})


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return text.isdigit()


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
