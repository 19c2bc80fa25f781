"""What Dagster reads and writes in Redis: a session's live outputs, and the blocks that the recorder announces."""

from datetime import date
from typing import Any

import numpy as np
import redis

from trading_platform.errors import BlockFormatError, StoreUnavailable
from trading_platform.ports import LivePosition
from trading_platform.wire import redis_keys
from trading_platform.wire.blocks import content_hash
from trading_platform.wire.records import BAR, FEATURE, INDICATOR, LATEST, SIGNAL, Rows, Schema, unpack_rows

_PAGE = 1000
_CURRENT = {"baseline": redis_keys.baseline_current, "seeds": redis_keys.seeds_current}


class RedisStore:
    """The live outputs and blocks of one shard."""

    def __init__(self, client: "redis.Redis", shard: str) -> None:
        self._client: Any = client
        self._shard = shard

    def position(self, session: date) -> LivePosition | None:
        """Return how far the outputs reach, None when nothing of the session is held."""
        return _position(session, self._ask("HGETALL", redis_keys.position(self._shard, session)))

    def position_and_latest(self, session: date, token: int) -> tuple[LivePosition | None, Rows]:
        """Return how far the outputs reach and the `latest` row of an instrument then, none when there is none."""
        try:
            with self._client.pipeline(transaction=True) as pipe:
                pipe.execute_command("HGETALL", redis_keys.position(self._shard, session))
                pipe.execute_command("HGET", redis_keys.latest(self._shard, session), token)
                fields, block = pipe.execute()
        except redis.RedisError as error:
            raise _unavailable("HGETALL", error) from error
        latest = np.zeros(0, LATEST.dtype) if block is None else unpack_rows(LATEST, block)
        return _position(session, fields), latest

    def read_features(self, session: date) -> dict[tuple[int, int], Rows]:
        """Return the rows of each pulse that is kept, by the record and part of its entry."""
        entries = self._entries(redis_keys.features(self._shard, session))
        found = {entry: fields.get(b"features", b"") for entry, fields in entries}
        return {_record_and_part(entry): unpack_rows(FEATURE, block) for entry, block in found.items()}

    def read_bars(self, session: date) -> tuple[Rows, Rows]:
        """Return all rows of bars and of indicators, in the order in which they were written."""
        entries = self._entries(redis_keys.bars(self._shard, session))
        return _joined(BAR, entries, b"bars"), _joined(INDICATOR, entries, b"indicators")

    def read_signals(self, session: date) -> Rows:
        """Return all rows of signals, in the order in which they were written."""
        return _joined(SIGNAL, self._entries(redis_keys.signals(self._shard, session)), b"signal")

    def last_bar_entry(self, session: date) -> str | None:
        """Return the ID of the newest entry of closed bars, None when there is none."""
        found = self._ask("XREVRANGE", redis_keys.bars(self._shard, session), "+", "-", "COUNT", 1)
        return found[0][0].decode("ascii") if found else None

    def wait_for_bars(self, session: date, after: str, milliseconds: int) -> bool:
        """Wait for an entry of closed bars after the ID `after`; return whether one came."""
        key = redis_keys.bars(self._shard, session)
        return bool(self._ask("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", key, after))

    def publish_block(self, family: str, content: bytes) -> str:
        """Make `content` the current block of a family (baseline or seeds); return its sha256.

        The content is written before the name, so that a reader never finds a name without content. The block that
        was current before is forgotten after a while; a journal that announced it holds its own copy.
        """
        sha256 = content_hash(content)
        self._ask("SET", redis_keys.blob(self._shard, sha256), content)
        current = _CURRENT[family](self._shard)
        before = self._ask("GET", current)
        self._ask("SET", current, sha256)
        if before and before != sha256.encode("ascii"):
            replaced = redis_keys.blob(self._shard, before.decode("ascii"))
            self._ask("EXPIRE", replaced, redis_keys.SESSION_SECONDS)
        return sha256

    def current_block(self, family: str) -> tuple[str, bytes | None] | None:
        """Return name and content of the current block of a family, None when there is none; a lost content is None."""
        named = self._ask("GET", _CURRENT[family](self._shard))
        if named is None:
            return None
        sha256 = bytes(named).decode("ascii", "replace")
        return sha256, self._ask("GET", redis_keys.blob(self._shard, sha256))

    def _entries(self, key: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        entries: list[tuple[bytes, dict[bytes, bytes]]] = []
        start = "-"
        while page := self._ask("XRANGE", key, start, "+", "COUNT", _PAGE):
            entries += page
            start = "(" + page[-1][0].decode("ascii")
        return entries

    def _ask(self, *command: Any) -> Any:
        try:
            return self._client.execute_command(*command)
        except redis.RedisError as error:
            raise _unavailable(command[0], error) from error


def _unavailable(command: str, error: redis.RedisError) -> StoreUnavailable:
    return StoreUnavailable(f"Redis did not answer {command}: {error}; start it, or mend TP_REDIS_URL")


def _position(session: date, fields: dict[bytes, bytes]) -> LivePosition | None:
    if not fields:
        return None
    received_ns = fields.get(b"received_ns")
    try:
        return LivePosition(
            record=int(fields[b"record"]),
            features_digest=fields[b"features_digest"].decode("ascii"),
            bars=int(fields[b"bars"]),
            indicators=int(fields[b"indicators"]),
            signals=int(fields[b"signals"]),
            last_closed=int(fields[b"last_closed"]),
            closed=fields[b"state"] == b"closed",
            received_ns=None if received_ns is None else int(received_ns),
        )
    except (KeyError, ValueError) as error:
        raise BlockFormatError(f"the position of {session} in Redis is not one that we write: {error!r}") from error


def _record_and_part(entry: bytes) -> tuple[int, int]:
    record, _, part = entry.partition(b"-")
    return int(record), int(part)


def _joined(schema: Schema, entries: list[tuple[bytes, dict[bytes, bytes]]], field: bytes) -> Rows:
    parts = [unpack_rows(schema, fields[field]) for _, fields in entries if field in fields]
    return np.concatenate(parts) if parts else np.zeros(0, schema.dtype)
