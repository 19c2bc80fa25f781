"""Whether a process does its work, asked of what it works with: a ping, a fresh snapshot, an answer, heartbeats."""

from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
import requests
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from redis.exceptions import RedisError

from trading_platform.errors import DagsterSilent, StoreUnavailable
from trading_platform.health.snapshots import EngineSnapshot, FeedSnapshot, observe
from trading_platform.settings import Settings
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.supervision.heartbeats import heartbeats
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import (
    CODE_SERVER,
    DAEMON,
    ENGINE,
    EXCHANGE,
    FEED,
    VALKEY,
    WEBSERVER,
    Plan,
)

SILENT_SECONDS = 30.0
"""A feed that idles says something every five seconds."""

BEAT_SECONDS = 150.0
"""Dagster's daemons beat every half minute."""

_ANSWER_SECONDS = 5.0

Probe = Callable[[int, float], str | None]
"""Asked with process number and age in seconds; says what is waited for, None when the process is ready."""


def probes(settings: Settings, places: Places, plan: Plan, now: Callable[[], float]) -> Mapping[str, Probe]:
    """Return how each process of a plan is asked; `now` gives seconds since the epoch."""
    local = f"http://127.0.0.1:{plan.webserver_port}"
    every: dict[str, Probe] = {
        VALKEY: lambda _pid, _age: _pings(settings.valkey_dir),
        EXCHANGE: lambda _pid, _age: _answers(f"{plan.exchange_root}/simulator/clock"),
        FEED: lambda pid, _age: _speaks(settings.feed_dir / f"{settings.shard}.json", FeedSnapshot, pid),
        ENGINE: lambda pid, _age: _speaks(settings.engine_dir / f"{settings.shard}.json", EngineSnapshot, pid),
        CODE_SERVER: lambda _pid, _age: _serves(places.code),
        WEBSERVER: lambda _pid, _age: _answers(f"{local}/server_info"),
        DAEMON: lambda _pid, age: _beats(local, now() - age, now()),
    }
    return {name: every[name] for name in plan.names}


def _pings(folder: Path) -> str | None:
    manager = RedisManager(None, folder, timeout_seconds=_ANSWER_SECONDS)
    try:
        client = manager.attach()
        if client is None:
            return "its server"
        with client:
            client.ping()
    except (RedisError, StoreUnavailable) as error:
        return f"an answer to PING ({error})"
    return None


def _speaks(path: Path, kind: type[FeedSnapshot | EngineSnapshot], pid: int) -> str | None:
    found = observe(path, kind)
    if found.problem is not None:
        return found.problem
    if found.snapshot is None or found.snapshot.pid != pid:
        return "its first snapshot"
    if found.snapshot.state == "starting":
        return f"its state: it waits for {found.snapshot.waiting}"
    if found.age_seconds > SILENT_SECONDS:
        return f"a sign of life: the last one is {found.age_seconds:.0f} s old"
    return None


def _answers(url: str) -> str | None:
    try:
        answer = requests.get(url, timeout=_ANSWER_SECONDS)
    except requests.RequestException as error:
        return f"an answer of {url} ({type(error).__name__})"
    return None if answer.ok else f"a good answer of {url} (HTTP {answer.status_code})"


def _serves(path: Path) -> str | None:
    try:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            asked = health_pb2.HealthCheckRequest(service="DagsterApi")
            status = HealthStub(channel).Check(asked, timeout=_ANSWER_SECONDS).status
    except grpc.RpcError as error:
        return f"its definitions to load ({error.code().name})"
    return None if status == health_pb2.HealthCheckResponse.SERVING else "its definitions to load"


def _beats(local: str, started: float, now: float) -> str | None:
    try:
        beats = heartbeats(local)
    except DagsterSilent as error:
        return str(error)
    late = [name for name, beat in beats.items() if beat is None or beat < max(started, now - BEAT_SECONDS)]
    return f"the heartbeat of {', '.join(sorted(late))}" if late or not beats else None


def waits_for(settings: Settings, name: str) -> str | None:
    """Return what feed or engine say that they wait for; None for others, or when they say nothing."""
    kinds: dict[str, tuple[Path, type[FeedSnapshot | EngineSnapshot]]] = {
        FEED: (settings.feed_dir, FeedSnapshot),
        ENGINE: (settings.engine_dir, EngineSnapshot),
    }
    if name not in kinds:
        return None
    folder, kind = kinds[name]
    snapshot = observe(folder / f"{settings.shard}.json", kind).snapshot
    return None if snapshot is None else snapshot.waiting
