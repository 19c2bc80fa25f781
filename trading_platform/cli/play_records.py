"""What a played session writes beside its frames: the day's dump, and the contents that its opening records name."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from trading_platform._version import __version__
from trading_platform.batch.instrument_dump import day_of, dump_csv, read_dump
from trading_platform.batch.reference import dump_path
from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.calc.volume_baseline import BaselineBlock
from trading_platform.cli.play_inputs import SessionInput
from trading_platform.errors import BadFileError, BlockFormatError, JournalExists
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import SessionTable
from trading_platform.settings import Settings
from trading_platform.simulator.player import Contents, Play
from trading_platform.simulator.session_bars import to_session_bars
from trading_platform.storage.journal import journal_folder, journal_sessions
from trading_platform.wire import redis_keys
from trading_platform.wire.instrument_block import to_block
from trading_platform.wire.session_block import encode_hours

Say = Callable[[str], None]


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
    contents = Contents(
        settings=settings.calculation.canonical(),
        hours=encode_hours(table, given.session),
        instruments=to_block(day),
        seeds=_current(client, shard, "seeds", given.session, say),
        baseline=_current(client, shard, "baseline", given.session, say),
    )
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


def make_private_folder(folder: Path) -> None:
    """Make a folder of the data folder, and that too, for this user alone; one that is there stays as it is."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _seeds_session(content: bytes) -> date:
    return SeedBlock.decode(content).session


def _baseline_session(content: bytes) -> date:
    return BaselineBlock.decode(content).session


_CURRENT = {
    "seeds": (redis_keys.seeds_current, _seeds_session),
    "baseline": (redis_keys.baseline_current, _baseline_session),
}


def _current(client: Any, shard: str, family: str, session: date, say: Say) -> bytes | None:
    """Return the current block of a family when it belongs to this session; else say why it is not announced."""
    key, session_of = _CURRENT[family]
    named = client.get(key(shard))
    content = None if named is None else client.get(redis_keys.blob(shard, named.decode("ascii")))
    if content is None:
        say(f"{session}: no {family} announced, Redis {'holds none' if named is None else 'has lost the content'}")
        return None
    try:
        made_for = session_of(content)
    except BlockFormatError as error:
        say(f"{session}: no {family} announced, the one in Redis cannot be read: {error}")
        return None
    if made_for != session:
        say(f"{session}: no {family} announced, the one in Redis is for {made_for}")
        return None
    return bytes(content)
