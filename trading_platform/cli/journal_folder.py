"""The folder of one session's journal, as commands take it."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from trading_platform.errors import BadFileError
from trading_platform.market.clock import IST


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """Where a journal lies, as its readers ask for it."""

    root: Path
    shard: str
    session: date


def journal_place(folder: Path) -> JournalPlace:
    """Take a folder .../SHARD/YYYYMMDD apart; raise BadFileError for any other."""
    resolved = folder.resolve()
    try:
        session = datetime.strptime(resolved.name, "%Y%m%d").replace(tzinfo=IST).date()
    except ValueError:
        session = None
    if session is None or not resolved.is_dir():
        raise BadFileError(f"{folder} is not the folder of a session's journal; give .../SHARD/YYYYMMDD")
    return JournalPlace(resolved.parent.parent, resolved.parent.name, session)
