"""Look into Redis for the published baseline."""

from datetime import date

from trading_platform.calc.volume_baseline import BaselineBlock
from trading_platform.errors import BlockFormatError, StoreUnavailable, UnknownSessionDate
from trading_platform.health.checks_store import BaselineFacts
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore


def look_at_baseline(manager: RedisManager, shard: str, table: SessionTable, today: date) -> BaselineFacts | None:
    """Return what the published baseline says of itself, None when Redis does not answer."""
    try:
        client = manager.attach()
        if client is None:
            return None
        try:
            current = RedisStore(client, shard).current_block("baseline")
        finally:
            client.close()
    except StoreUnavailable:
        return None
    if current is None:
        return BaselineFacts()
    if current[1] is None:
        return BaselineFacts(problem=f"block {current[0][:12]} is announced, Redis has lost its content")
    try:
        block = BaselineBlock.decode(current[1])
    except BlockFormatError as error:
        return BaselineFacts(problem=str(error))
    return BaselineFacts(
        session=block.session,
        sessions_since=_sessions_since(table, block.session, today),
        sessions_used=len(block.sessions_used),
        instruments=len(block.tokens),
    )


def _sessions_since(table: SessionTable, session: date, today: date) -> int | None:
    if session >= today:
        return 0
    try:
        return sum(one > session for one in table.sessions(SessionClass.NSE_CASH, session, today))
    except UnknownSessionDate:
        return None
