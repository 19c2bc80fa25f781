"""Write what the engine produces to Redis: one transaction a batch, IDs that derive from record numbers."""

from datetime import date
from typing import Any

import redis

from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.errors import BlockFormatError, StoreUnavailable
from trading_platform.ports import HeldOutputs
from trading_platform.wire import redis_keys
from trading_platform.wire.records import LATEST, SIGNAL, pack_rows

_OUTPUT_KEYS = (
    redis_keys.bars,
    redis_keys.signals,
    redis_keys.features,
    redis_keys.latest,
    redis_keys.position,
)


class RedisEngineOutputs:
    """The output keys of one shard and session."""

    def __init__(self, client: redis.Redis, shard: str, session: date) -> None:
        self._client: Any = client
        self._keys = {make.__name__: make(shard, session) for make in _OUTPUT_KEYS}

    def held(self) -> HeldOutputs | None:
        """Return how far the outputs reach, None when there are none; raise StoreUnavailable."""
        try:
            fields: dict[bytes, bytes] = self._client.hgetall(self._keys["position"])
            lengths = {family: int(self._client.xlen(self._keys[family])) for family in ("bars", "signals")}
        except redis.RedisError as error:
            raise StoreUnavailable(f"the position of the outputs cannot be read: {error}") from error
        if not fields:
            return None if not any(lengths.values()) else HeldOutputs(0, {}, closed=False, whole=False)
        try:
            return HeldOutputs(
                record=int(fields[b"record"]),
                digests={
                    family: fields[f"{family}_digest".encode()].decode("ascii")
                    for family in ("bars", "indicators", "signals", "features")
                },
                closed=fields[b"state"] == b"closed",
                whole=all(int(fields[f"{family}_entries".encode()]) == n for family, n in lengths.items()),
            )
        except (KeyError, ValueError) as error:
            raise BlockFormatError(f"{self._keys['position']} is not a position that we write: {error!r}") from error

    def write(self, state: SessionPass, produced: Produced) -> None:
        """Write what a batch gave and the position that it reaches, all or nothing; raise StoreUnavailable."""
        pipe: Any = self._client.pipeline(transaction=True)
        self._add_streams(pipe, produced)
        rows = state.drain_latest()
        if len(rows):
            tokens = rows["token"].tolist()
            fields = {token: pack_rows(LATEST, rows[k : k + 1]) for k, token in enumerate(tokens)}
            pipe.hset(self._keys["latest"], mapping=fields)
        pipe.hset(self._keys["position"], mapping=_position(state))
        for key in self._keys.values():
            pipe.expire(key, redis_keys.SESSION_SECONDS)
        try:
            replies = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise StoreUnavailable(f"the outputs up to record {state.position} were not written: {error}") from error
        faults = [reply for reply in replies if isinstance(reply, Exception)]
        if faults:
            raise StoreUnavailable(
                f"Redis refused {len(faults)} of {len(replies)} writes up to record {state.position}: {faults[0]}"
            )

    def reset(self) -> None:
        """Forget all outputs of the session, to be written again from its first record."""
        try:
            self._client.delete(*self._keys.values())
        except redis.RedisError as error:
            raise StoreUnavailable(f"the outputs cannot be deleted: {error}") from error

    def _add_streams(self, pipe: Any, produced: Produced) -> None:
        indicators = {entry.record: entry.block for entry in produced.entries["indicators"]}
        for entry in produced.entries["bars"]:
            fields = {"bars": entry.block}
            if entry.record in indicators:
                fields["indicators"] = indicators[entry.record]
            pipe.xadd(self._keys["bars"], fields, id=f"{entry.record}-{entry.part}")
        for entry in produced.entries["signals"]:
            pipe.xadd(self._keys["signals"], {SIGNAL.name: entry.block}, id=f"{entry.record}-{entry.part}")
        # only the window is kept, so what it would drop at once is not sent
        for entry in produced.entries["features"][-redis_keys.FEATURES_WINDOW_BLOCKS :]:
            pipe.xadd(
                self._keys["features"],
                {"features": entry.block},
                id=f"{entry.record}-{entry.part}",
                maxlen=redis_keys.FEATURES_WINDOW_BLOCKS,
                approximate=False,
            )


def _position(state: SessionPass) -> dict[str, str | int]:
    position: dict[str, str | int] = {
        "record": state.position,
        "state": "closed" if state.closed else "running",
        "last_closed": state.last_closed,
        "received_ns": state.last_received_ns,
    }
    for family in state.digests:
        position[family] = state.rows[family]
        position[f"{family}_entries"] = state.entries[family]
        position[f"{family}_digest"] = state.digests[family].hex()
    return position
