"""What Redis tells: whether it keeps what it is given, and whether the baseline in it is of today."""

from dataclasses import dataclass
from datetime import date

from trading_platform.health.findings import Figures, Finding, Level
from trading_platform.health.market_hours import Duty, MarketHours
from trading_platform.storage.redis_facts import RedisFacts

MEMORY_DEGRADED, MEMORY_RED = 0.75, 0.9
"""Shares of maxmemory, or of the machine's memory where Redis has no limit."""

_POLICY = "noeviction"


@dataclass(frozen=True, slots=True)
class BaselineFacts:
    """The published baseline: its session, how many sessions began since, what it is made of; or what is wrong."""

    session: date | None = None
    sessions_since: int | None = None
    sessions_used: int | None = None
    instruments: int | None = None
    problem: str | None = None


def check_redis(redis: RedisFacts, hours: MarketHours) -> Finding:
    """Say whether the server answers, never drops a key, survives a crash, and has room."""
    if not redis.running:
        return _not_running(redis, hours)
    share = redis.used_memory / redis.limit_memory if redis.used_memory and redis.limit_memory else None
    faults = [*_policy_faults(redis), *_durability_faults(redis), *_memory_faults(share)]
    figures: Figures = {
        "up": 1,
        "used_memory_bytes": redis.used_memory,
        "memory_share": share,
        "clients": redis.clients,
    }
    says = f"{redis.address}, version {redis.version}"
    if not faults:
        memory = "an unknown share of memory" if share is None else f"{share:.1%} of memory"
        return Finding("redis", Level.GREEN, f"{says}: {redis.policy}, append-only, {memory}", None, figures)
    level = max(fault[0] for fault in faults)
    told = "; ".join(fault[1] for fault in faults)
    return Finding("redis", level, f"{says}: {told}", "; ".join(fault[2] for fault in faults), figures)


def check_baseline(baseline: BaselineFacts | None, hours: MarketHours) -> Finding:
    """Say whether the published baseline of volumes is of today's session, or how many sessions it is behind."""
    advice = "dagster job execute -m trading_platform.definitions -j materialize_baselines"
    if baseline is None:
        return Finding("baseline", hours.ignorance, hours.or_closed("not known: Redis does not answer"))
    figures: Figures = {
        "sessions_old": baseline.sessions_since,
        "sessions_used": baseline.sessions_used,
        "instruments": baseline.instruments,
    }
    if baseline.problem is not None:
        return Finding("baseline", hours.ignorance, baseline.problem, advice if hours.ignorance else None, figures)
    if baseline.session is None:
        says = "none is published: relative volume is null"
        return Finding("baseline", hours.ignorance, says, advice if hours.ignorance else None, figures)
    says = f"of session {baseline.session}, from {baseline.sessions_used} sessions, {baseline.instruments} instruments"
    if baseline.sessions_since is None:
        return Finding("baseline", hours.ignorance, f"{says}; how old that is cannot be told", None, figures)
    if not baseline.sessions_since:
        return Finding("baseline", Level.GREEN, says, None, figures)
    says += f": {baseline.sessions_since} sessions old; what uses it is marked as stale, and null after a week"
    return Finding("baseline", hours.ignorance, says, advice if hours.ignorance else None, figures)


def _not_running(redis: RedisFacts, hours: MarketHours) -> Finding:
    figures: Figures = {"up": 0}
    if redis.trouble is None:
        advice = "whoever needs it starts it: feed, engine" if hours.duty is not Duty.CLOSED else None
        return Finding("redis", hours.absence, f"{redis.address} does not run", advice, figures)
    level = max(hours.absence, Level.DEGRADED)
    return Finding("redis", level, f"{redis.address}: {redis.trouble}", "start it, or mend TP_REDIS_URL", figures)


_Fault = tuple[Level, str, str]


def _policy_faults(redis: RedisFacts) -> list[_Fault]:
    if redis.policy == _POLICY:
        return []
    return [(Level.RED, f"maxmemory-policy {redis.policy or 'unknown'} may drop keys", f"set it to {_POLICY}")]


def _durability_faults(redis: RedisFacts) -> list[_Fault]:
    faults: list[_Fault] = []
    if not redis.aof_enabled:
        what = "unknown" if redis.aof_enabled is None else "off"
        faults.append((Level.DEGRADED, f"appendonly is {what}", "set appendonly yes: a crash loses what it holds"))
    if redis.aof_last_write_ok is False:
        faults.append((Level.RED, "the append-only file could not be written", "make room on the server's disk"))
    return faults


def _memory_faults(share: float | None) -> list[_Fault]:
    if share is None:
        return [(Level.DEGRADED, "its memory is not known", "look at INFO memory")]
    if share < MEMORY_DEGRADED:
        return []
    level = Level.RED if share >= MEMORY_RED else Level.DEGRADED
    return [(level, f"{share:.0%} of memory is used", "raise maxmemory or free memory: a full server refuses writes")]
