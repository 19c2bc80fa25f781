"""Every Redis key and every lifetime, as functions; the prefix stands in no other module.

All keys of a shard carry its literal hash tag, so that they live on one cluster node and one transaction can write
them. Everything that a session writes carries the session's date: two days can never mix.
"""

from datetime import date

PREFIX = "tp"

SESSION_SECONDS = 4 * 24 * 3600
"""Lifetime of what belongs to one session: it outlives a long week-end."""

FRAMES_WINDOW_BYTES = 64 * 1024 * 1024
"""How much of a session's frames stays in Redis; an engine further behind reads the journal."""

FEATURES_WINDOW_BLOCKS = 120
"""How many pulses of features stay in Redis; live == replay compares their digest."""


def frames(shard: str, session: date) -> str:
    """Return the key of the stream: window of a session's journal records, oldest first; entry ID = record number."""
    return _session_key(shard, "frames", session)


def position(shard: str, session: date) -> str:
    """Return the key of the hash: how far the engine's outputs reach (record number, digests, counts)."""
    return _session_key(shard, "position", session)


def latest(shard: str, session: date) -> str:
    """Return the key of the hash: token -> packed LATEST row, conflated by batch."""
    return _session_key(shard, "latest", session)


def features(shard: str, session: date) -> str:
    """Return the key of the stream: one packed FEATURE block a pulse, a bounded window."""
    return _session_key(shard, "features", session)


def bars(shard: str, session: date) -> str:
    """Return the key of the stream: BAR and INDICATOR blocks of each record that closed or revised bars."""
    return _session_key(shard, "bars", session)


def signals(shard: str, session: date) -> str:
    """Return the key of the stream: one packed SIGNAL row an entry; whole session."""
    return _session_key(shard, "signals", session)


def blob(shard: str, sha256: str) -> str:
    """Return the key of the string: copy of the content that a control record names."""
    return f"{{{PREFIX}:{shard}}}:blob:{sha256}"


def baseline_current(shard: str) -> str:
    """Return the key of the string: sha256 of the baseline block to announce next; it does not expire."""
    return f"{{{PREFIX}:{shard}}}:baseline"


def seeds_current(shard: str) -> str:
    """Return the key of the string: sha256 of the block of seeds to announce next; it does not expire."""
    return f"{{{PREFIX}:{shard}}}:seeds"


def _session_key(shard: str, family: str, session: date) -> str:
    return f"{{{PREFIX}:{shard}}}:{family}:{session:%Y%m%d}"
