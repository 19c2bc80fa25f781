"""Recompute one instrument from its journal and hold it against Redis and lake: the one `debug` of command and job."""

from datetime import date
from typing import Any

from trading_platform.batch.record_loop import Limit
from trading_platform.calc.patterns.catalogue import PATTERNS, Declaration
from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import BadQuestion
from trading_platform.inspection.bars_seen import bars_seen
from trading_platform.inspection.baseline_used import baseline_used
from trading_platform.inspection.differences import Compared, Difference
from trading_platform.inspection.events import events_of
from trading_platform.inspection.lake_side import compare_with_lake
from trading_platform.inspection.names import direction_name
from trading_platform.inspection.question import (
    Question,
    instrument_asked,
    moment_asked,
    pattern_asked,
    session_asked,
)
from trading_platform.inspection.redis_side import RedisSide, compare_with_redis, read_redis
from trading_platform.inspection.report import Report, SignalSeen, Subject
from trading_platform.inspection.standing import standing_of
from trading_platform.inspection.steps import StepSeen, steps_of
from trading_platform.inspection.trace import Trace, read_opening, trace_instrument
from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.market.instruments import Instrument
from trading_platform.ports import TableStore
from trading_platform.settings import Settings
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire import redis_keys
from trading_platform.wire.records import SIGNAL


def debug_instrument(settings: Settings, question: Question, *, manager: RedisManager, lake: TableStore) -> Report:
    """Answer a question about one instrument; raise BadQuestion for one that cannot be answered.

    Nothing is started or changed. Redis is read before the journal, so that it can only lie behind it.
    """
    pattern = pattern_asked(question.why_not)
    session = session_asked(question, sorted(journal_sessions(settings.journal_dir, settings.shard)), settings.shard)
    until_ns = moment_asked(question.at, session)
    source = _source(settings, session)
    opening = read_opening(source)
    instrument = instrument_asked(question.symbol, opening.instruments, opening.tokens)
    journal_stood_at = source.reader.last_number()
    redis = read_redis(manager, settings.shard, session, instrument.token)
    source = _source(settings, session)
    found = trace_instrument(
        SessionPass(session, source.blob, tolerant=True),
        source,
        instrument.token,
        limit=Limit(received_ns=until_ns),
        latest_at=redis.record,
        mark=journal_stood_at,
        features_kept=redis_keys.FEATURES_WINDOW_BLOCKS,
    )
    return _Answer(settings.shard, instrument, found, source, redis, lake).report(until_ns, pattern)


class _Answer:
    """Puts the parts of a report together."""

    def __init__(
        self,
        shard: str,
        instrument: Instrument,
        found: Trace,
        source: JournalRecords,
        redis: RedisSide,
        lake: TableStore,
    ) -> None:
        self._shard, self._instrument, self._found = shard, instrument, found
        self._source, self._redis, self._lake = source, redis, lake

    def report(self, until_ns: int | None, pattern: Declaration | None) -> Report:
        """Return what is known up to a moment, None: up to the last record."""
        found = self._found
        standing = standing_of(found)
        if standing is None:
            raise BadQuestion(_not_carried(self._instrument, found, until_ns))
        baseline = baseline_used(found, self._instrument, self._source.blob)
        steps, fired = steps_of(found)
        lake = compare_with_lake(self._lake, found, self._instrument.tradingsymbol, baseline.version)
        return Report(
            subject=self._subject(until_ns),
            packets=tuple(found.packets),
            standing=standing,
            baseline=baseline,
            bars=bars_seen(found),
            signals=tuple(_signal(row) for row in found.of(SIGNAL)),
            steps=_last_of_each(steps),
            why_not=None if pattern is None else pattern.name,
            history=() if pattern is None else tuple(one.only(pattern.name) for one in steps),
            events=events_of(found),
            engine_behind_seconds=self._behind(),
            compared=(self._journal(), fired, compare_with_redis(self._redis, found), *lake),
            notes=self._notes(),
        )

    def _subject(self, until_ns: int | None) -> Subject:
        state, one = self._found.state, self._instrument
        last = from_ns(state.last_received_ns)
        return Subject(
            symbol=one.tradingsymbol,
            exchange=one.exchange,
            segment=one.segment,
            token=one.token,
            kind="index" if one.is_index else one.instrument_type,
            shard=self._shard,
            session=state.session,
            at=last if until_ns is None else from_ns(until_ns),
            last_record=state.position,
            last_received=last,
            is_closed=state.closed,
        )

    def _journal(self) -> Compared:
        """Return what is wrong with the journal itself: its damage is passed over, and named."""
        damages = [Difference("journal", "damage", "whole records", str(one)) for one in self._source.reader.damages]
        return Compared("journal", f"read up to record {self._found.state.position:,}", None, tuple(damages))

    def _behind(self) -> float | None:
        position, stood_ns = self._redis.position, self._found.mark_received_ns
        if position is None or position.received_ns is None or stood_ns is None:
            return None
        return max(0.0, (stood_ns - position.received_ns) / NS_PER_SECOND)

    def _notes(self) -> tuple[str, ...]:
        torn = self._source.reader.torn_tail
        if not torn:
            return ()
        return (f"the last {torn} bytes of the journal are no whole record: its writer was killed, or still writes",)


def _source(settings: Settings, session: date) -> JournalRecords:
    return JournalRecords(settings.journal_dir, settings.shard, session, tolerant=True)


def _not_carried(instrument: Instrument, found: Trace, until_ns: int | None) -> str:
    when = from_ns(found.state.last_received_ns if until_ns is None else until_ns)
    return (
        f"no socket carried {instrument.key} (token {instrument.token}) up to {when:%Y-%m-%d %H:%M:%S}: nothing of it "
        "was received; add it to the universe, or ask for a later time"
    )


def _last_of_each(steps: list[StepSeen]) -> tuple[StepSeen, ...]:
    return tuple({step.interval: step for step in steps}.values())


def _signal(row: Any) -> SignalSeen:
    declared = PATTERNS[int(row["pattern"])]
    return SignalSeen(
        record=int(row["record"]),
        pattern=declared.name,
        direction=direction_name(int(row["direction"])),
        interval=int(row["interval"]),
        formed_at=from_ns(int(row["formed_at"]) * NS_PER_SECOND),
        known_at=from_ns(int(row["known_at_ns"])),
        entry_ref=float(row["entry_ref"]),
        stop=float(row["stop"]),
        target=float(row["target"]),
        features={name: float(row[f"feature_{k}"]) for k, name in enumerate(declared.features)},
    )
