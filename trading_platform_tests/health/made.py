"""Snapshots and hours as the checks are given them; every test says only what is different."""

from datetime import date, datetime
from typing import Any

from trading_platform.health.market_hours import MarketHours, market_hours
from trading_platform.health.snapshots import EngineSnapshot, FeedSnapshot, Observed
from trading_platform.market.clock import IST, NS_PER_SECOND, Clock, elapsed_ns, to_ns
from trading_platform.market.session_kinds import SessionClass
from trading_platform.market.sessions import load_session_table

TABLE = load_session_table()
FRIDAY = date(2026, 7, 31)
CLASSES = (SessionClass.NSE_INDEX, SessionClass.NSE_CASH_FNO, SessionClass.NSE_DERIVATIVES)


def at(hour: int, minute: int = 0, second: float = 0.0, on: date = FRIDAY) -> int:
    whole = datetime(on.year, on.month, on.day, hour, minute, int(second), tzinfo=IST)
    return to_ns(whole) + int(second % 1 * NS_PER_SECOND)


def hours_at(now_ns: int, classes: tuple[SessionClass, ...] = CLASSES) -> MarketHours:
    return market_hours(TABLE, classes, now_ns)


OPEN, SOON, CLOSED = hours_at(at(10)), hours_at(at(8, 50)), hours_at(at(20))


def clock_at(now_ns: int, rate: float = 1.0) -> Clock:
    return Clock(now_ns, rate, elapsed_ns())


def histogram(p99: float | None, count: int = 10) -> dict[str, Any]:
    held = 0 if p99 is None else count
    return {
        "count": held,
        "sum": (p99 or 0.0) * held / 2,
        "p50": p99,
        "p99": p99,
        "max": p99,
        "recent": {"count": held, "p50": p99, "p99": p99},
        "buckets": [[0.016, 0], [0.032, held], [134217.728, held]],
    }


def socket(number: int = 0, **changed: Any) -> dict[str, Any]:
    return {
        "socket": number,
        "state": "connected",
        "tokens": 3000,
        "quiet_seconds": 0.3,
        "last_ending": None,
        "away": False,
        "reconnected_ns": [],
        **changed,
    }


def feed_values(**changed: Any) -> dict[str, Any]:
    so_far = {"session": "2026-07-31", "starts": 1, "gaps": 0, "gap_seconds": 0.0, "lost_payloads": 0}
    return {
        "version": 2,
        "shard": "k1",
        "pid": 4711,
        "written": {"monotonic_ns": elapsed_ns(), "wall_ns": Clock.wall().now_ns()},
        "at_ns": at(10),
        "clock": {"epoch_ns": at(10), "rate": 1.0, "anchor_ns": elapsed_ns(), "steady": True},
        "hours": {
            "session": "2026-07-31",
            "connect_ns": at(8, 45),
            "end_ns": at(16, 1),
            "classes": dict.fromkeys(CLASSES, 100),
        },
        "token": {"standing": "accepted", "accepted_at_ns": at(8, 45)},
        "state": "recording",
        "waiting": None,
        "session": "2026-07-31",
        "session_so_far": {**so_far, "reconnects": 0, "write_failures": 0, **changed.pop("so_far", {})},
        "last_record": 1000,
        "recorder": {
            "records": 990,
            "bytes": 10**6,
            "clock_steps": 0,
            "stream_repaired": 0,
            "redis_failures": 0,
            "last_redis_failure": None,
            "online": True,
            **changed.pop("recorder", {}),
        },
        "sockets": [socket(0), socket(1)],
        "queue": {
            "entries": 0,
            "bytes": 0,
            "peak_bytes": 5000,
            "most_bytes": 1_000_000,
            "lag_ms": 0.0,
            **changed.pop("queue", {}),
        },
        "latency_ms": {"journal": histogram(0.5), "stream": histogram(1.5)},
        **changed,
    }


def feed(*, age: float = 0.5, alive: bool = True, **changed: Any) -> Observed[FeedSnapshot]:
    return Observed(FeedSnapshot.model_validate(feed_values(**changed)), age, alive)


def group(name: SessionClass, **changed: Any) -> dict[str, Any]:
    values = {"instruments": 100, "newest_ns": at(10) - NS_PER_SECOND, "continuous_since_ns": at(9, 15)}
    return {"class": str(name), **values, "stale": 0, "never": 0, **changed}


def engine_values(**changed: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "shard": "k1",
        "pid": 4712,
        "written": {"monotonic_ns": elapsed_ns(), "wall_ns": Clock.wall().now_ns()},
        "state": "running",
        "waiting": None,
        "starts": 1,
        "live": True,
        "caught_up_frames": 0,
        "unmeasured_frames": 0,
        "latency_ms": {"decoded": histogram(2.0), "written": histogram(3.0)},
        "session": "2026-07-31",
        "position": 998,
        "closed": False,
        "last_received_ns": at(10),
        "lag_ms": 120.0,
        "counters": {"packets": 5000, "unknown_token": 0, "damaged_frames": 0, **changed.pop("counters", {})},
        "baseline_loaded": True,
        "groups": [group(name) for name in CLASSES],
        "progress": {"batches": 40, "states_written": 2, "states_refused": 0, **changed.pop("progress", {})},
        **changed,
    }


def engine(*, age: float = 0.5, alive: bool = True, **changed: Any) -> Observed[EngineSnapshot]:
    return Observed(EngineSnapshot.model_validate(engine_values(**changed)), age, alive)
