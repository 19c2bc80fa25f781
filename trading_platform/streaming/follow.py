"""Which session the engine works on: every journal of its shard that is not finished, oldest first."""

from collections.abc import Callable
from datetime import date

from trading_platform.ports import HeldOutputs


def next_session(
    journals: list[date],
    finished: Callable[[date], bool],
    held: Callable[[date], HeldOutputs | None],
) -> date | None:
    """Return the oldest session that still wants an engine, None when all are done.

    A session is done when Redis says closed, or when the state file says so and Redis has let the outputs expire.
    """
    for session in sorted(journals):
        outputs = held(session)
        if outputs is not None and outputs.closed and outputs.whole:
            continue
        if outputs is None and finished(session):
            continue
        return session
    return None
