"""What a played session writes beside its frames: the day's dump, and the contents that its opening records name."""

from datetime import date
from pathlib import Path
from typing import Any

from trading_platform._version import __version__
from trading_platform.batch.instrument_dump import day_of, dump_csv, read_dump
from trading_platform.batch.reference import dump_path
from trading_platform.cli.play_inputs import SessionInput
from trading_platform.cli.session_opening import Say, opening_contents
from trading_platform.errors import BadFileError, JournalExists
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import SessionTable
from trading_platform.settings import Settings
from trading_platform.simulator.player import Play
from trading_platform.simulator.session_bars import to_session_bars
from trading_platform.storage.journal import journal_folder, journal_sessions
from trading_platform.streaming.private_folder import make_private_folder


def refuse_existing(settings: Settings, shard: str, sessions: list[date]) -> None:
    """Raise JournalExists when one of these sessions has a journal already."""
    held = set(journal_sessions(settings.journal_dir, shard))
    if taken := [session for session in sessions if session in held]:
        folders = ", ".join(str(journal_folder(settings.journal_dir, shard, session)) for session in taken[:3])
        raise JournalExists(
            f"shard {shard} has a journal of {', '.join(map(str, taken))} already ({folders}); a journal is never "
            "overwritten: play with another TP_DATA_DIR, or move these folders away"
        )


def prepare(given: SessionInput, settings: Settings, shard: str, *, table: SessionTable, client: Any, say: Say) -> Play:
    """Write the day's dump and collect all that the session's records name."""
    day = InstrumentDay(given.session, given.instruments)
    write_dump(settings.dumps_dir, day)
    classes = {session_class(one, day.fno_names) for one in day.instruments}
    opens = min(table.session(hours, given.session).opens for hours in classes)
    contents = opening_contents(day, settings, shard, table=table, client=client, say=say)
    bars = to_session_bars(given.bars, day, given.previous_closes)
    return Play(given.session, shard, __version__, int(opens.timestamp()), contents, bars, given.source)


def write_dump(folder: Path, day: InstrumentDay) -> Path:
    """Write the day's instruments where others look for its dump; refuse to replace another one."""
    path = folder / f"instruments_{day.session:%Y%m%d}.csv"
    if (existing := dump_path(folder, day.session)) is not None:
        if day_of(day.session, read_dump(existing).rows) != day:
            raise BadFileError(
                f"{existing} lists other instruments than those played; play with another TP_DATA_DIR, or move it away"
            )
        return existing
    unfinished = path.with_suffix(".unfinished")
    try:
        make_private_folder(folder)
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(dump_csv(day.instruments))
        unfinished.replace(path)
    except OSError as error:
        raise BadFileError(f"{path} cannot be written: {error.strerror or error}; mend that") from error
    return path
