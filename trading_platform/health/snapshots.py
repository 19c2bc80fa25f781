"""What feed and engine say of themselves, read from their files: hostile until parsed, and as old as they are."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.market.session_kinds import SessionClass
from trading_platform.streaming.gauges import clock_of, read_snapshot

_FAULTS_SHOWN = 2
_MOST_NS = 2**62
Count = Annotated[int, Field(ge=0)]
Moment = Annotated[int, Field(ge=0, le=_MOST_NS)]
"""Nanoseconds since the epoch."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Written(_Part):
    """When a snapshot was written, by both clocks of the machine."""

    monotonic_ns: Count
    wall_ns: Moment


class PublishedClock(_Part):
    """The clock of a feed; a steady one runs by the machine's own, so that durations can be measured by it."""

    epoch_ns: Moment
    rate: float = Field(gt=0.0)
    anchor_ns: Count
    steady: bool


class Hours(_Part):
    """What the feed plans for a session, and how many instruments keep whose hours."""

    session: date
    connect_ns: Moment
    end_ns: Moment
    classes: dict[SessionClass, Count]


class Token(_Part):
    """What is known of the access token."""

    standing: Literal["not tried", "accepted", "refused", "missing"]
    accepted_at_ns: int | None


class SoFar(_Part):
    """What a session lost and suffered, over all starts of the feed in it."""

    session: date | None
    starts: Count
    gaps: Count
    gap_seconds: float = Field(ge=0.0)
    lost_payloads: Count
    reconnects: Count
    write_failures: Count


class RecorderFacts(_Part):
    """What the recorder did since the feed started."""

    records: Count
    bytes: Count
    clock_steps: Count
    stream_repaired: Count
    redis_failures: Count
    last_redis_failure: str | None
    online: bool


class Socket(_Part):
    """One socket of the feed."""

    socket: Count
    state: str
    tokens: Count
    quiet_seconds: float | None
    last_ending: str | None
    away: bool = False
    reconnected_ns: list[int] = []


class Queue(_Part):
    """What waits between sockets and journal."""

    entries: Count
    bytes: Count
    peak_bytes: Count
    most_bytes: Count
    lag_ms: float


class Candles(_Part):
    """How the bars of gaps are reconciled: instruments whose candles are not recorded, and those that get none."""

    outstanding_instruments: Count
    refused_instruments: Count
    waiting: str | None


class Recent(_Part):
    """A histogram's last minute or two, milliseconds."""

    count: Count
    p50: float | None
    p99: float | None


class Histogram(_Part):
    """Latency since the start, milliseconds; buckets are upper edges and counts up to them."""

    count: Count
    sum: float
    p50: float | None
    p99: float | None
    max: float | None
    recent: Recent
    buckets: list[tuple[float, int]]


class _Snapshot(_Part):
    shard: str
    pid: int = Field(gt=0, lt=2**31)
    written: Written
    state: str
    waiting: str | None


class FeedSnapshot(_Snapshot):
    """`<data_dir>/feed/<shard>.json`; what belongs to a session is absent while none is recorded."""

    version: Literal[2]
    at_ns: Moment
    clock: PublishedClock
    hours: Hours | None
    token: Token
    session_so_far: SoFar | None
    session: date | None = None
    last_record: Count | None = None
    recorder: RecorderFacts | None = None
    sockets: list[Socket] = []
    queue: Queue | None = None
    write_failures: Count = 0
    last_write_failure: str | None = None
    texts: dict[str, Count] = {}
    refused_instruments: list[int] = []
    candles: Candles | None = None
    latency_ms: dict[str, Histogram] = {}


class Progress(_Part):
    """What an engine did since it started."""

    batches: Count
    states_written: Count
    states_refused: Count


class Group(_Part):
    """Instruments of one class of opening hours, as the engine last heard of them."""

    name: SessionClass = Field(alias="class")
    instruments: Count
    newest_ns: int | None
    continuous_since_ns: int | None
    stale: Count
    never: Count


class EngineSnapshot(_Snapshot):
    """`<data_dir>/engine/<shard>.json`; what belongs to a session is absent before the first."""

    version: Literal[1]
    starts: Count
    live: bool
    caught_up_frames: Count
    unmeasured_frames: Count
    latency_ms: dict[str, Histogram]
    session: date | None = None
    position: Count | None = None
    closed: bool | None = None
    last_received_ns: int | None = None
    lag_ms: float | None = None
    counters: dict[str, int] = {}
    baseline_loaded: bool | None = None
    unplaced: Count = 0
    groups: list[Group] = []
    progress: Progress | None = None


T = TypeVar("T", bound=_Snapshot)


@dataclass(frozen=True, slots=True)
class Observed(Generic[T]):
    """A snapshot, how old it is in real seconds, and whether the process that wrote it is there."""

    snapshot: T | None = None
    age_seconds: float = 0.0
    alive: bool = False
    problem: str | None = None  # why there is a file and no snapshot


def observe(path: Path, kind: type[T]) -> Observed[T]:
    """Read a snapshot."""
    values = read_snapshot(path)
    if values is None and not os.path.lexists(path):
        return Observed()
    if values is None:
        return Observed(problem=f"{path} cannot be read, or is no JSON object")
    try:
        snapshot = kind.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        shown = "; ".join(faults[:_FAULTS_SHOWN])
        return Observed(problem=f"{path} is not what this version writes ({len(faults)} faults: {shown})")
    return Observed(snapshot, _age_seconds(snapshot.written), _is_alive(snapshot.pid))


def feed_clock(snapshot: FeedSnapshot) -> Clock | None:
    """Return the clock that a feed published, None when it does not run since this machine started."""
    return clock_of(snapshot.clock.model_dump())


def _age_seconds(written: Written) -> float:
    """Return the older of both ages: the wall clock may have been set, the monotonic one begin anew."""
    by_machine = elapsed_ns() - written.monotonic_ns
    by_wall = Clock.wall().now_ns() - written.wall_ns
    return max(by_machine, by_wall, 0) / NS_PER_SECOND


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
