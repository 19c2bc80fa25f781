"""Which session the engine works on: every journal of its shard that is not finished, oldest first."""

from collections.abc import Callable
from datetime import date

from trading_platform.ports import HeldOutputs


def next_session(
    journals: list[date],
    *,
    held: Callable[[date], HeldOutputs | None],
    has_state: Callable[[date, int], bool],
    expired: Callable[[date], bool],
) -> date | None:
    """Return the oldest session that still wants an engine, None when all are done.

    A session is done when Redis says closed and a state of its last record was written, or when it was closed so long
    ago that Redis has let the outputs expire. Outputs that are missing sooner were lost and are written again.
    """
    for session in sorted(journals):
        outputs = held(session)
        if (
            outputs is not None
            and outputs.closed
            and outputs.whole
            and outputs.of_this_journal
            and has_state(session, outputs.record)
        ):
            continue
        if outputs is None and expired(session):
            continue
        return session
    return None
