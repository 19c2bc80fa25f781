"""Look at the platform's server without starting, checking or changing it."""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from trading_platform.errors import StoreUnavailable
from trading_platform.storage.redis_manager import RedisManager

_SECTIONS = ("server", "memory", "persistence", "clients")


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a server says of itself; `trouble` says why nothing is known. Memory in bytes, None where it is not said."""

    address: str
    embedded: bool
    running: bool
    trouble: str | None = None
    version: str | None = None
    policy: str | None = None
    aof_enabled: bool | None = None
    aof_last_write_ok: bool | None = None
    used_memory: int | None = None
    limit_memory: int | None = None  # maxmemory, or all that the machine has where there is no limit
    clients: int | None = None


def redis_facts(manager: RedisManager) -> RedisFacts:
    """Ask the server; an embedded one that does not run is not started."""
    embedded = manager.is_embedded
    try:
        client = manager.attach()
    except StoreUnavailable as error:
        return RedisFacts(manager.address, embedded, running=False, trouble=str(error))
    if client is None:
        return RedisFacts(manager.address, embedded, running=False)
    try:
        told: dict[str, Any] = {}
        for section in _SECTIONS:
            told |= client.info(section)
    except RedisError as error:
        return RedisFacts(manager.address, embedded, running=False, trouble=f"{type(error).__name__}: {error}")
    finally:
        client.close()
    most = _number(told.get("maxmemory")) or _number(told.get("total_system_memory"))
    return RedisFacts(
        address=manager.address,
        embedded=embedded,
        running=True,
        version=str(told.get("valkey_version", told.get("redis_version", "unknown"))),
        policy=_text(told.get("maxmemory_policy")),
        aof_enabled=_flag(told.get("aof_enabled")),
        aof_last_write_ok=None if "aof_last_write_status" not in told else told["aof_last_write_status"] == "ok",
        used_memory=_number(told.get("used_memory")),
        limit_memory=most,
        clients=_number(told.get("connected_clients")),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)
