"""Names and lifetimes of what a migration writes: always below `legacy:`, never among the platform's own keys."""

import hashlib

from trading_platform.wire import redis_keys

PREFIX = "legacy"

SESSION_STATE_SECONDS = redis_keys.SESSION_SECONDS
"""Lifetime of converted values that describe one session, as the platform's own have it."""


def target_key(layout: str, family: str, fields: tuple[str, ...]) -> str:
    """Return where a key of a family goes: what its fields hold, in their order."""
    return ":".join((PREFIX, layout.lower(), family, *fields))


def staging_key(target: str) -> str:
    """Return where a value is put together before it gets its name in one step."""
    return f"{PREFIX}:staging:{hashlib.sha256(target.encode()).hexdigest()[:32]}"
