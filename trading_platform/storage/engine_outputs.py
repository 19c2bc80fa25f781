"""Write what the engine produces to Redis: one transaction a batch, IDs that derive from record numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import chain
from typing import Any

import numpy as np
import redis

from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.errors import BlockFormatError, EngineError, StoreUnavailable
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.ports import HeldOutputs
from trading_platform.resp import Line, PackedHash, packed
from trading_platform.storage.store_errors import store_error
from trading_platform.wire import redis_keys
from trading_platform.wire.records import LATEST, SIGNAL, pack_head

_OUTPUT_KEYS = {
    redis_keys.bars: "XLEN",
    redis_keys.signals: "XLEN",
    redis_keys.features: "XLEN",
    redis_keys.latest: "HLEN",
    redis_keys.position: "HGETALL",
}
"""Each key, and the command that asks what it holds."""

_FAMILIES = ("bars", "indicators", "signals", "features")
_STREAMS = ("bars", "signals", "features")

_RAW_LATEST = np.dtype(f"V{LATEST.dtype.itemsize}")
_RENEW_NS = 60 * NS_PER_SECOND
"""How often lifetimes of days are renewed."""


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
        self._stands_at: bytes | None = None  # as this object left it
        self._identity = identity
        self._line = Line(client)
        key = self._keys["position"]
        self._look = (packed("WATCH", key), packed("HGET", key, "record"))
        self._is_watched = False
        self._seen_at: bytes | None = None  # as the last look found it
        self._latest = PackedHash(self._keys["latest"], pack_head(LATEST, 1), LATEST.dtype.itemsize)
        self._lasting: set[str] = set()  # keys that have a lifetime
        self._renew_at_ns = 0

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
            if not (self._is_watched and self._line.is_open):
                self._watched_at(*self._line.ask(b"".join(self._look), len(self._look)))
            self._refuse_other_position()
            latest = list(self._latest_rows(state))
            written = {
                "position",
                *(["latest"] if latest else []),
                *(name for name in _STREAMS if produced.entries[name]),
            }
            commands = [*self._streams(produced), *latest, self._reached(state), *self._lifetimes(written)]
            # the look before the next write is asked for at once: one round trip a batch
            self._is_watched = False
            done, look = self._line.transact(commands, behind=self._look)
        except redis.RedisError as error:
            raise StoreUnavailable(f"the outputs up to record {state.position} were not written: {error}") from error
        self._watched_at(*look)
        if done is None:
            self._refuse_other_position()
            raise StoreUnavailable(f"the outputs up to record {state.position} were not written: their key was touched")
        self._stands_at = str(state.position).encode("ascii")

    def reset(self) -> None:
        """Forget all outputs of the session, to be written again from its first record."""
        try:
            self._client.delete(*self._keys.values())
        except redis.RedisError as error:
            raise StoreUnavailable(f"the outputs cannot be deleted: {error}") from error
        self._stands_at = None
        self._line.release()  # what it watched is gone
        self._lasting.clear()

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

    def _watched_at(self, watched: Any, stands_at: Any) -> None:
        """Take what a look gave: a transaction fails from then on when the position moves."""
        for answer in (watched, stands_at):
            if isinstance(answer, redis.RedisError):
                self._line.release()
                raise store_error("the position of the outputs cannot be watched", answer) from answer
        self._is_watched, self._seen_at = True, stands_at

    def _refuse_other_position(self) -> None:
        if self._seen_at != self._stands_at:
            raise StoreUnavailable(
                f"the outputs of {self._session} stand at record {_told(self._seen_at)}, this engine left them at "
                f"{_told(self._stands_at)}: Redis lost what it held, or another engine writes here"
            )

    def _streams(self, produced: Produced) -> Iterator[bytes]:
        indicators = {entry.record: entry.block for entry in produced.entries["indicators"]}
        for entry in produced.entries["bars"]:
            more = (b"indicators", indicators[entry.record]) if entry.record in indicators else ()
            yield packed("XADD", self._keys["bars"], f"{entry.record}-{entry.part}", b"bars", entry.block, *more)
        for entry in produced.entries["signals"]:
            yield packed("XADD", self._keys["signals"], f"{entry.record}-{entry.part}", SIGNAL.name, entry.block)
        # only the window is kept, so what it would drop at once is not sent
        window = redis_keys.FEATURES_WINDOW_BLOCKS
        for entry in produced.entries["features"][-window:]:
            number = f"{entry.record}-{entry.part}"
            yield packed("XADD", self._keys["features"], "MAXLEN", window, number, b"features", entry.block)

    def _latest_rows(self, state: SessionPass) -> Iterator[bytes]:
        rows = state.drain_latest()
        if not len(self._latest):  # what was written before this object was made counts too
            held = state.memory.latest
            self._latest.add(held["token"][held["record"] > 0].tolist())
        if len(rows):
            yield self._latest.set(rows["token"].tolist(), rows.view(_RAW_LATEST).tolist())

    def _reached(self, state: SessionPass) -> bytes:
        position = _position(state, len(self._latest), self._identity())
        return packed("HSET", self._keys["position"], *chain.from_iterable(position.items()))

    def _lifetimes(self, written: set[str]) -> Iterator[bytes]:
        """Renew all lifetimes now and then, and set that of a key with its first entry."""
        due = written - self._lasting
        if elapsed_ns() >= self._renew_at_ns:
            self._renew_at_ns = elapsed_ns() + _RENEW_NS
            due = set(self._keys)
        self._lasting |= written
        for family in sorted(due):
            yield packed("EXPIRE", self._keys[family], redis_keys.SESSION_SECONDS)


def _parse(fields: dict[bytes, bytes], lengths: dict[str, int]) -> HeldOutputs:
    expected = {family: int(fields[f"{family}_entries".encode()]) for family in _STREAMS}
    expected["features"] = min(expected["features"], redis_keys.FEATURES_WINDOW_BLOCKS)
    expected["latest"] = int(fields[b"latest_entries"])
    return HeldOutputs(
        record=int(fields[b"record"]),
        digests={family: fields[f"{family}_digest".encode()].decode("ascii") for family in _FAMILIES},
        closed=fields[b"state"] == b"closed",
        whole=expected == lengths,
    )


def _position(state: SessionPass, latest_entries: int, journal: str | None) -> dict[str, str | int]:
    position: dict[str, str | int] = {
        "record": state.position,
        "state": "closed" if state.closed else "running",
        "last_closed": state.last_closed,
        "received_ns": state.last_received_ns,
        "latest_entries": latest_entries,
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
