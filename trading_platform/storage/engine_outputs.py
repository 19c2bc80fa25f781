"""Write what the engine produces to Redis: one transaction a batch, IDs that derive from record numbers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import redis

from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.errors import BlockFormatError, EngineError, StoreUnavailable
from trading_platform.ports import HeldOutputs
from trading_platform.storage.store_errors import store_error
from trading_platform.wire import redis_keys
from trading_platform.wire.records import LATEST, SIGNAL, pack_rows

_OUTPUT_KEYS = {
    redis_keys.bars: "XLEN",
    redis_keys.signals: "XLEN",
    redis_keys.features: "XLEN",
    redis_keys.latest: "HLEN",
    redis_keys.position: "HGETALL",
}
"""Each key, and the command that asks what it holds."""

_FAMILIES = ("bars", "indicators", "signals", "features")


class RedisEngineOutputs:
    """The output keys of one shard and session.

    Every write is conditional on the position that this object last saw: a server that came back with less, or a
    second engine, is noticed before anything is written. `identity` names the journal that is read (None: not known);
    what was written from another one is told by `held`.
    """

    def __init__(
        self, client: redis.Redis, shard: str, session: date, *, identity: Callable[[], str | None] = lambda: None
    ) -> None:
        self._client: Any = client
        self._keys = {make.__name__: make(shard, session) for make in _OUTPUT_KEYS}
        self._session = session
        self._stands_at: bytes | None = None
        self._identity = identity

    def held(self) -> HeldOutputs | None:
        """Return how far the outputs reach, None when there are none.

        Raise StoreUnavailable, or EngineError when a key holds what this engine does not write.
        """
        try:
            with self._client.pipeline(transaction=True) as pipe:
                for command, key in zip(_OUTPUT_KEYS.values(), self._keys.values(), strict=True):
                    pipe.execute_command(command, key)
                replies = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise StoreUnavailable(f"the position of the outputs cannot be read: {error}") from error
        found = dict(zip(self._keys, replies, strict=True))
        self._refuse_faults(found)
        fields: dict[bytes, bytes] = found.pop("position")
        self._stands_at = fields.get(b"record")
        if not fields:
            return None if not any(found.values()) else HeldOutputs(0, {}, closed=False, whole=False)
        try:
            return replace(_parse(fields, found), of_this_journal=self._of_this_journal(fields))
        except (KeyError, ValueError) as error:
            raise BlockFormatError(
                f"{self._keys['position']} is not a position that we write ({error!r}): run the engine with --rebuild "
                f"--session {self._session} to write this session's outputs again"
            ) from error

    def write(self, state: SessionPass, produced: Produced) -> None:
        """Write what a batch gave and the position that it reaches, all or nothing; raise StoreUnavailable."""
        try:
            with self._client.pipeline(transaction=True) as pipe:
                self._refuse_other_position(pipe)
                pipe.multi()
                self._add_streams(pipe, produced)
                self._add_latest(pipe, state)
                pipe.hset(self._keys["position"], mapping=_position(state, self._identity()))
                for key in self._keys.values():
                    pipe.expire(key, redis_keys.SESSION_SECONDS)
                replies = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise StoreUnavailable(f"the outputs up to record {state.position} were not written: {error}") from error
        faults = [reply for reply in replies if isinstance(reply, Exception)]
        if faults:
            raise StoreUnavailable(
                f"Redis refused {len(faults)} of {len(replies)} writes up to record {state.position}: {faults[0]}"
            )
        self._stands_at = str(state.position).encode("ascii")

    def reset(self) -> None:
        """Forget all outputs of the session, to be written again from its first record."""
        try:
            self._client.delete(*self._keys.values())
        except redis.RedisError as error:
            raise StoreUnavailable(f"the outputs cannot be deleted: {error}") from error
        self._stands_at = None

    def _of_this_journal(self, fields: dict[bytes, bytes]) -> bool | None:
        wrote = fields.get(b"journal")
        if wrote is None:
            return True  # nothing says otherwise, and the digests are compared anyway
        reads = self._identity()
        return None if reads is None else wrote == reads.encode("ascii")

    def _refuse_faults(self, found: dict[str, Any]) -> None:
        """Name the key that another program has taken; other refusals of the server may pass by themselves."""
        for family, reply in found.items():
            if not isinstance(reply, redis.RedisError):
                continue
            if "WRONGTYPE" in str(reply):
                raise EngineError(
                    f"the key {self._keys[family]} holds something that no engine wrote: move it away, or run the "
                    f"engine with --rebuild --session {self._session}, which deletes it"
                )
            raise store_error("the position of the outputs cannot be read", reply) from reply

    def _refuse_other_position(self, pipe: Any) -> None:
        """Watch the position, so that the transaction fails when it moves; raise StoreUnavailable when it has moved."""
        pipe.watch(self._keys["position"])
        stands_at = pipe.hget(self._keys["position"], "record")
        if stands_at != self._stands_at:
            raise StoreUnavailable(
                f"the outputs of {self._session} stand at record {_told(stands_at)}, this engine left them at "
                f"{_told(self._stands_at)}: Redis lost what it held, or another engine writes here"
            )

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

    def _add_latest(self, pipe: Any, state: SessionPass) -> None:
        rows = state.drain_latest()
        if len(rows):
            tokens = rows["token"].tolist()
            fields = {token: pack_rows(LATEST, rows[k : k + 1]) for k, token in enumerate(tokens)}
            pipe.hset(self._keys["latest"], mapping=fields)


def _parse(fields: dict[bytes, bytes], lengths: dict[str, int]) -> HeldOutputs:
    expected = {family: int(fields[f"{family}_entries".encode()]) for family in ("bars", "signals", "features")}
    expected["features"] = min(expected["features"], redis_keys.FEATURES_WINDOW_BLOCKS)
    expected["latest"] = int(fields[b"latest_entries"])
    return HeldOutputs(
        record=int(fields[b"record"]),
        digests={family: fields[f"{family}_digest".encode()].decode("ascii") for family in _FAMILIES},
        closed=fields[b"state"] == b"closed",
        whole=expected == lengths,
    )


def _position(state: SessionPass, journal: str | None) -> dict[str, str | int]:
    position: dict[str, str | int] = {
        "record": state.position,
        "state": "closed" if state.closed else "running",
        "last_closed": state.last_closed,
        "received_ns": state.last_received_ns,
        "latest_entries": int(np.count_nonzero(state.memory.latest["record"])),
    }
    if journal is not None:
        position["journal"] = journal
    for family in state.digests:
        position[family] = state.rows[family]
        position[f"{family}_entries"] = state.entries[family]
        position[f"{family}_digest"] = state.digests[family].hex()
    return position


def _told(record: bytes | None) -> str:
    return "none" if record is None else record.decode("ascii", "replace")
