"""What the opening records of a session name, for whoever begins a journal: the player and the feed."""

from collections.abc import Callable
from datetime import date
from typing import Any

from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.calc.volume_baseline import BaselineBlock, block_flags
from trading_platform.errors import BlockFormatError
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionClass, SessionTable, load_session_table
from trading_platform.ports import SessionContents
from trading_platform.settings import Settings
from trading_platform.wire import redis_keys
from trading_platform.wire.instrument_block import to_block
from trading_platform.wire.session_block import encode_hours

Say = Callable[[str], None]

_JUDGED = SessionClass.NSE_CASH_FNO
"""Days of this class change their kind whenever those of others do."""


def opening_contents(
    day: InstrumentDay, settings: Settings, shard: str, *, table: SessionTable, client: Any, say: Say
) -> SessionContents:
    """Collect all that the session's opening records name; without a `client` no seeds and no baseline."""
    return SessionContents(
        settings=settings.calculation.canonical(),
        hours=encode_hours(table, day.session),
        instruments=to_block(day),
        seeds=current_block(client, shard, "seeds", day.session, say) if client else None,
        baseline=current_block(client, shard, "baseline", day.session, say) if client else None,
    )


def current_hash(client: Any, shard: str, family: str) -> str | None:
    """Return which block of a family is current, None for none."""
    named = client.get(_CURRENT[family][0](shard))
    return None if named is None else bytes(named).decode("ascii", "replace")


def current_block(client: Any, shard: str, family: str, session: date, say: Say) -> bytes | None:
    """Return the current block of a family when it belongs to this session; else say why it is not announced.

    A baseline of an earlier session of the same kind is announced too, and that is said.
    """
    named = current_hash(client, shard, family)
    content = None if named is None else client.get(redis_keys.blob(shard, named))
    if content is None:
        say(f"{session}: no {family} announced, Redis {'holds none' if named is None else 'has lost the content'}")
        return None
    try:
        made_for, is_stale = _CURRENT[family][1](content, session)
    except BlockFormatError as error:
        say(f"{session}: no {family} announced, the one in Redis cannot be read: {error}")
        return None
    if is_stale:
        say(f"{session}: the {family} in Redis is for {made_for}; it is announced, and its numbers are marked as stale")
    elif made_for != session:
        say(f"{session}: no {family} announced, the one in Redis is for {made_for}")
        return None
    return bytes(content)


def _seeds_session(content: bytes, _session: date) -> tuple[date, bool]:
    return SeedBlock.decode(content).session, False


def _baseline_session(content: bytes, session: date) -> tuple[date, bool]:
    """Return which session a baseline is for, and whether it may stand in for that of a later one."""
    block = BaselineBlock.decode(content)
    if not block_flags(block, session):
        return block.session, False
    table, kinds = load_session_table(), []
    for day in (block.session, session):
        covered = table.is_covered(_JUDGED, day) and table.is_session(_JUDGED, day)
        kinds.append(table.session_type(_JUDGED, day) if covered else None)
    return block.session, kinds[0] is not None and kinds[0] is kinds[1]


_CURRENT = {
    "seeds": (redis_keys.seeds_current, _seeds_session),
    "baseline": (redis_keys.baseline_current, _baseline_session),
}
