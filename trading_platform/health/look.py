"""Collect what is known of a shard at a moment, and judge it: the one health of command, endpoint and jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from trading_platform.health.checks_engine import (
    check_engine,
    check_freshness,
    check_lag,
    check_latency,
    check_packets,
    check_stale,
    latencies,
    reconciled_bars,
)
from trading_platform.health.checks_feed import (
    check_feed,
    check_gaps,
    check_losses,
    check_queue,
    check_reconnects,
    check_sockets,
    check_stream,
    check_token,
)
from trading_platform.health.checks_host import (
    BackupFacts,
    DaemonFacts,
    DiskFacts,
    check_backup,
    check_dagster,
    check_disk,
)
from trading_platform.health.checks_processes import ProcessFacts, check_processes
from trading_platform.health.checks_store import BaselineFacts, check_baseline, check_redis
from trading_platform.health.findings import Finding, Level, worst
from trading_platform.health.look_disk import look_at_backups, look_at_disk
from trading_platform.health.look_store import look_at_baseline
from trading_platform.health.look_time import TimeFacts, check_clock, look_at_time
from trading_platform.health.market_hours import MarketHours, market_finding, market_hours, session_ends_ns
from trading_platform.health.snapshots import EngineSnapshot, FeedSnapshot, Histogram, Observed, observe
from trading_platform.market.clock import Clock
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.settings import Settings
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.redis_facts import RedisFacts, redis_facts
from trading_platform.storage.redis_manager import RedisManager

REDIS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is judged."""

    time: TimeFacts
    hours: MarketHours
    feed: Observed[FeedSnapshot]
    engine: Observed[EngineSnapshot]
    token_present: bool
    redis: RedisFacts
    baseline: BaselineFacts | None
    disk: DiskFacts
    daemons: DaemonFacts
    processes: ProcessFacts
    backup: BackupFacts


class FeedLook(NamedTuple):
    """The feed's snapshot, its time, the classes whose hours the shard keeps, and what they ask of it now."""

    feed: Observed[FeedSnapshot]
    time: TimeFacts
    classes: tuple[SessionClass, ...]
    hours: MarketHours


@dataclass(frozen=True, slots=True)
class Health:
    """What was found of a shard, at which moment of its clock, and the latencies of all stages."""

    shard: str
    at_ns: int
    findings: tuple[Finding, ...]
    latency: dict[str, Histogram]

    @property
    def level(self) -> Level:
        """Return the level of the whole."""
        return worst(self.findings)


def nobody_supervises() -> ProcessFacts:
    """Return what is known of processes where no supervisor is asked."""
    return ProcessFacts(asked=False)


def look(
    settings: Settings,
    table: SessionTable,
    *,
    daemons: Callable[[], DaemonFacts],
    processes: Callable[[], ProcessFacts] = nobody_supervises,
    clock: Clock | None = None,
) -> Health:
    """Collect and judge; nothing is started or changed by it."""
    facts = collect(settings, table, daemons=daemons(), processes=processes(), clock=clock)
    latency = latencies(facts.engine, facts.feed)
    return Health(settings.shard, facts.time.now_ns, tuple(judge(facts)), latency)


def collect(
    settings: Settings,
    table: SessionTable,
    *,
    daemons: DaemonFacts,
    processes: ProcessFacts,
    clock: Clock | None = None,
) -> Facts:
    """Return everything that is known at this moment."""
    shard = settings.shard
    feed, time, classes, hours = look_at_feed(settings, table, clock=clock)
    engine = observe(settings.engine_dir / f"{shard}.json", EngineSnapshot)
    manager = RedisManager(
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        settings.valkey_dir,
        timeout_seconds=REDIS_SECONDS,
    )
    redis = redis_facts(manager)
    token = settings.kite_access_token
    return Facts(
        time=time,
        hours=hours,
        feed=feed,
        engine=engine,
        token_present=bool(token and token.get_secret_value()),
        redis=redis,
        baseline=look_at_baseline(manager, shard, table, hours.today) if redis.running else None,
        disk=look_at_disk(settings.data_dir, settings.journal_dir, shard, now_ns=time.now_ns, today=hours.today),
        daemons=daemons,
        processes=processes,
        backup=look_at_backups(
            settings.backup_dir,
            journal_sessions(settings.journal_dir, shard),
            now_ns=time.now_ns,
            ends_ns=lambda session: session_ends_ns(table, classes, session),
        ),
    )


def look_at_feed(settings: Settings, table: SessionTable, *, clock: Clock | None = None) -> FeedLook:
    """Return what the feed says of itself, the time by its clock, and whether data has to flow then."""
    feed = observe(settings.feed_dir / f"{settings.shard}.json", FeedSnapshot)
    time, classes = look_at_time(feed, clock), _classes(feed)
    return FeedLook(feed, time, classes, market_hours(table, classes, time.now_ns))


def judge(facts: Facts) -> list[Finding]:
    """Return the findings of all checks, in the order in which somebody who looks for a fault reads them."""
    hours, feed, engine, clock = facts.hours, facts.feed, facts.engine, facts.time.clock
    return [
        market_finding(hours),
        check_clock(facts.time),
        check_feed(feed, hours),
        check_sockets(feed, hours),
        check_reconnects(feed, hours, clock),
        check_token(feed, hours, present=facts.token_present),
        check_losses(feed, hours),
        check_gaps(feed, hours, reconciled_bars=reconciled_bars(engine)),
        check_queue(feed, hours),
        check_stream(feed, hours),
        check_engine(engine, feed, hours),
        check_lag(engine, feed, hours),
        check_latency(engine, feed, hours),
        check_freshness(engine, feed, hours, clock),
        check_stale(engine, hours),
        check_packets(engine, hours),
        check_redis(facts.redis, hours),
        check_baseline(facts.baseline, hours),
        check_disk(facts.disk, hours),
        check_dagster(facts.daemons),
        check_processes(facts.processes, hours),
        check_backup(facts.backup, hours),
    ]


def _classes(feed: Observed[FeedSnapshot]) -> tuple[SessionClass, ...]:
    """Return whose hours the shard keeps: what the feed planned last, any that there is before it ever planned."""
    hours = None if feed.snapshot is None else feed.snapshot.hours
    return tuple(hours.classes) if hours is not None and hours.classes else tuple(SessionClass)
