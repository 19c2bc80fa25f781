"""The sensor that follows the engine: closed bars in Redis become one pattern run for all since its cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg
import orjson

from trading_platform.errors import PlatformError
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, from_ns, pause
from trading_platform.orchestration.asset_streams import observations
from trading_platform.orchestration.context import FROM_RECORD, TO_RECORD
from trading_platform.orchestration.resources import JournalsResource, RedisManagerResource
from trading_platform.ports import LivePosition
from trading_platform.storage.redis_store import RedisStore

BLOCK_MILLISECONDS = 4500
"""Just under the five seconds of the daemon's loop: a bar that closes while the sensor waits is acted on at once."""

NAME = "closed_bars"
FIRST_ENTRY = "0-0"
NS_PER_MS = 1_000_000

CLOSED = "-closed"
"""How the key of a run ends that covers a session to its end."""

_ASK_SECONDS = 0.25
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far pattern runs were asked for: session, last entry of closed bars, end of the last closed interval."""

    session: str
    entry: str
    record: int
    last_closed: int
    closed: bool

    @classmethod
    def parse(cls, text: str | None, session: date) -> "Cursor":
        """Read a cursor; another session, or no cursor, starts before the first entry."""
        fields = orjson.loads(text) if text else {}
        if fields.get("session") != session.isoformat():
            return cls(session.isoformat(), FIRST_ENTRY, 0, 0, closed=False)
        return cls(**fields)

    def text(self) -> str:
        """Write the cursor down."""
        return orjson.dumps(self).decode()

    def is_behind(self, position: LivePosition) -> bool:
        """Return whether an interval closed, or the session ended, since the last run was asked for."""
        return position.last_closed > self.last_closed or (position.closed and not self.closed)


def closed_bars_sensor(job: dg.JobDefinition, *, block_milliseconds: int = BLOCK_MILLISECONDS) -> dg.SensorDefinition:
    """Return the sensor; it waits on the stream of closed bars no longer than `block_milliseconds` a tick."""

    @dg.sensor(
        name=NAME,
        job=job,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts one run_patterns for all intervals that closed in Redis since the last one.",
    )
    def closed_bars(
        context: dg.SensorEvaluationContext, redis_manager: RedisManagerResource, journals: JournalsResource
    ) -> dg.SensorResult | dg.SkipReason:
        """Look at the oldest session with something new; wait a little when there is none."""
        if _is_under_way(context.instance, block_milliseconds):
            return dg.SkipReason("a run that was asked for is under way: the next one covers what closes meanwhile")
        sessions = journals.sessions()
        if not sessions:
            return dg.SkipReason(f"shard {journals.shard} has no journal yet: nothing was recorded or played")
        try:
            return _look(context.cursor, redis_manager.store(), sessions, block_milliseconds)
        except PlatformError as error:
            return dg.SkipReason(f"cannot look at closed bars: {error}")

    return closed_bars


def _is_under_way(instance: dg.DagsterInstance, most_milliseconds: int) -> bool:
    """Wait a little for the end of a run that the sensor asked for; return whether it goes on.

    A run takes longer than an interval when time runs fast, or the machine slow: without this they would queue up.
    """
    mine = dg.RunsFilter(tags={"dagster/sensor_name": NAME}, statuses=UNFINISHED)
    until = elapsed_ns() + most_milliseconds * NS_PER_MS
    while instance.get_runs_count(mine):
        if elapsed_ns() >= until:
            return True
        pause(_ASK_SECONDS)
    return False


def _look(
    text: str | None, store: RedisStore, sessions: Sequence[date], block_milliseconds: int
) -> dg.SensorResult | dg.SkipReason:
    session = _session_to_look_at(text, store, sessions)
    cursor = Cursor.parse(text, session)
    position = store.position(session)
    if position is None or not cursor.is_behind(position):
        newest = store.last_bar_entry(session) or FIRST_ENTRY
        if not store.wait_for_bars(session, newest, block_milliseconds):
            return dg.SkipReason(f"no bar of {session} closed after entry {newest} in Redis")
        position = store.position(session)
    if position is None or not cursor.is_behind(position):
        return dg.SkipReason(
            f"bars of {session} closed, but no five-minute interval since {_clock(cursor.last_closed)}"
        )
    entry = store.last_bar_entry(session)
    if entry is None:
        return dg.SkipReason(f"the engine is at record {position.record} of {session} and has closed no bar")
    reached = Cursor(session.isoformat(), entry, position.record, position.last_closed, position.closed)
    return dg.SensorResult(
        run_requests=[_request(cursor, reached)], cursor=reached.text(), asset_events=observations(position, session)
    )


def _session_to_look_at(text: str | None, store: RedisStore, sessions: Sequence[date]) -> date:
    """Return the oldest session with intervals that no run was asked for, else the newest that the engine works on.

    Journals may lie ahead of the engine, and a daemon that was down may have missed the end of a session: none is left
    out. A session whose outputs have expired in Redis has nothing left to read.
    """
    begin = date.fromisoformat(orjson.loads(text)["session"]) if text else sessions[0]
    found = sessions[-1]
    for session in sessions:
        position = store.position(session) if session >= begin else None
        if position is None:
            continue
        if Cursor.parse(text, session).is_behind(position):
            return session
        found = session
    return found


def _request(cursor: Cursor, reached: Cursor) -> dg.RunRequest:
    """Ask for one run; its key names entry and end, so that the same state never gives two."""
    ended = CLOSED if reached.closed else ""
    return dg.RunRequest(
        run_key=f"{reached.session}-{reached.entry}{ended}",
        partition_key=reached.session,
        tags={FROM_RECORD: str(cursor.record), TO_RECORD: str(reached.record)},
    )


def _clock(seconds: int) -> str:
    return f"{from_ns(seconds * NS_PER_SECOND):%H:%M}" if seconds else "its first"
