"""The page of Redis keys, made from their catalogue."""

import inspect
import re
from datetime import date

from trading_platform.wire import redis_keys

_DAY, _SHARD, _SHA256 = date(2026, 7, 31), "k1", "3b1f...e9"
_MIB, _DAY_SECONDS = 1024 * 1024, 24 * 3600

_HEAD = """# Keys in Redis

Made from `wire/redis_keys.py`, the one home of every key and lifetime (`make pages`). The examples are of shard `k1`
and the session of 31 July 2026. All keys of a shard carry its hash tag, so that one transaction can write them and a
cluster keeps them on one node; what belongs to a session carries its date, so that two days never mix.

State of the system before this one lies below `legacy:`, and nothing of it is read ([migration](migrate.md)).
"""


def keys_page() -> str:
    """Return the page: a row for each key, then lifetimes and windows."""
    rows = ["| key | type | what it holds | lifetime |", "|---|---|---|---|"]
    for name, build in _builders().items():
        kind, holds = _told(inspect.getdoc(build) or "")
        rows.append(f"| `{build(**_arguments(build))}` | {kind} | {holds} | {_lifetime(name, build)} |")
    mebibytes = redis_keys.FRAMES_WINDOW_BYTES // _MIB
    windows = f"""
- The stream of frames holds at most {mebibytes} MiB of a session; an engine that is further behind reads the journal.
- The stream of features holds {redis_keys.FEATURES_WINDOW_BLOCKS} blocks; a digest of all of them is part of the
  position, and a replay has to give the same.
- Entries have the number of the journal record that gave them as their ID: what is written twice is refused.
"""
    return "\n".join([_HEAD, *rows, windows])


def _builders() -> dict[str, object]:
    functions = inspect.getmembers(redis_keys, inspect.isfunction)
    ours = [
        (name, one) for name, one in functions if not name.startswith("_") and one.__module__ == redis_keys.__name__
    ]
    return dict(sorted(ours, key=lambda pair: pair[1].__code__.co_firstlineno))


def _arguments(build: object) -> dict[str, object]:
    values: dict[str, object] = {"shard": _SHARD, "session": _DAY, "sha256": _SHA256}
    return {name: values[name] for name in inspect.signature(build).parameters}  # type: ignore[arg-type]


def _told(text: str) -> tuple[str, str]:
    """Split `Return the key of the stream: what it is.` into type and meaning."""
    found = re.match(r"Return the key of the (\w+): (.*)", " ".join(text.split()))
    assert found, f"a key of the catalogue does not say its type and meaning: {text!r}"
    meaning = found[2].split("; it does not expire")[0].rstrip(".")
    return found[1], f"{meaning[0].upper()}{meaning[1:]}."


def _lifetime(name: str, build: object) -> str:
    if "does not expire" in (inspect.getdoc(build) or ""):
        return "does not expire"
    return f"{redis_keys.SESSION_SECONDS // _DAY_SECONDS} days"
