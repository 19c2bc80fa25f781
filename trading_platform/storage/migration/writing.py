"""Commands that write a value under a name that must be free, in one step, with its lifetime.

A value is put together under a name of ours and renamed if the place is free: nobody sees half of it, and nothing that
is there is ever overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import RedisError, ResponseError

from trading_platform.migration.target_keys import staging_key
from trading_platform.migration.typed_values import Item, StreamTail, TypedValue
from trading_platform.storage.migration.raw_commands import Command, ask
from trading_platform.storage.store_errors import store_error

_MOST_ARGUMENTS = 1000
_GROUP_OF_OURS = "migrate"


@dataclass(frozen=True, slots=True)
class Write:
    """The commands for one key, and which of their replies says whether it was written."""

    commands: list[Command]
    verdict: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write; neither written nor an error: the place was taken."""

    is_written: bool
    is_foreign_format: bool
    is_expired: bool
    """It expired between being read and being named."""
    error: str


def restore(target: str, payload: bytes, expires_ms: int | None) -> Write:
    """Write what DUMP gave; a name that is taken is refused by the server."""
    return Write([("RESTORE", target, expires_ms or 0, payload, *(("ABSTTL",) if expires_ms else ()))], 0)


def typed(target: str, value: TypedValue, expires_ms: int | None) -> Write:
    """Write a whole value by the commands of its type."""
    if value.kind == "string":
        ends = ("PXAT", expires_ms) if expires_ms else ()
        return Write([("SET", target, b"".join(value.items), "NX", *ends)], 0)
    stage = staging_key(target)
    filled = [("DEL", stage), *fill(stage, value.kind, value.items)]
    if value.tail:
        filled += stream_position(stage, value.tail, entries=len(value.items))
    ending = name_it(stage, target, expires_ms)
    return Write([*filled, *ending.commands], len(filled) + ending.verdict)


def name_it(stage: str, target: str, expires_ms: int | None) -> Write:
    """Give what was put together its lifetime and its name, if that is free; else forget it."""
    expiry: list[Command] = [("PEXPIREAT", stage, expires_ms)] if expires_ms else []
    return Write([*expiry, ("RENAMENX", stage, target), ("DEL", stage)], len(expiry))


def fill(stage: str, kind: str, items: Sequence[Item]) -> list[Command]:
    """Add items to a value."""
    if kind == "stream":
        return [("XADD", stage, *entry) for entry in items]
    if kind == "string":
        return [("APPEND", stage, piece) for piece in items]
    name = {"hash": "HSET", "list": "RPUSH", "set": "SADD", "zset": "ZADD"}[kind]
    return [
        (name, stage, *_arguments(kind, items[start : start + _MOST_ARGUMENTS]))
        for start in range(0, len(items), _MOST_ARGUMENTS)
    ]


def stream_position(stage: str, tail: StreamTail, *, entries: int) -> list[Command]:
    """Let a stream stand where the source stood, its readers too; what they had not acknowledged is not kept."""
    commands: list[Command] = []
    if not entries:
        # there is no other way to make a stream that holds nothing
        commands += [("XGROUP", "CREATE", stage, _GROUP_OF_OURS, "0", "MKSTREAM")]
        commands += [("XGROUP", "DESTROY", stage, _GROUP_OF_OURS)]
    added = max(tail.entries_added, entries)
    commands.append(("XSETID", stage, tail.last_id, "ENTRIESADDED", added, "MAXDELETEDID", tail.max_deleted))
    for group in tail.groups:
        read = ("ENTRIESREAD", group.entries_read) if group.entries_read is not None else ()
        commands.append(("XGROUP", "CREATE", stage, group.name, group.last_delivered, *read))
    return commands


def transact(client: "redis.Redis", writes: Sequence[Write]) -> list[Outcome]:
    """Run all writes in one step that a kill cannot cut; raise StoreUnavailable when the server takes none of them."""
    commands = [command for write in writes for command in write.commands]
    replies = ask(client, [("MULTI",), *commands, ("EXEC",)])
    results = replies[-1]
    if not isinstance(results, list):
        queued = next((reply for reply in replies[:-1] if isinstance(reply, RedisError)), results)
        raise store_error("the target refuses", queued if isinstance(queued, RedisError) else RedisError(str(queued)))
    outcomes, start = [], 0
    for write in writes:
        mine = results[start : start + len(write.commands)]
        start += len(mine)
        outcomes.append(_outcome(mine, mine[write.verdict]))
    return outcomes


def _outcome(replies: list[Any], verdict: Any) -> Outcome:
    errors = [str(reply) for reply in replies if isinstance(reply, ResponseError)]
    told = str(verdict) if isinstance(verdict, ResponseError) else ""
    return Outcome(
        is_written=verdict in {b"OK", 1},
        is_foreign_format="DUMP payload version" in told,
        is_expired="no such key" in told and len(errors) == 1,
        error="" if told.startswith("BUSYKEY") else "; ".join(errors),
    )


def _arguments(kind: str, items: Sequence[Item]) -> list[Any]:
    if kind == "hash":
        return [part for item in items for part in item]
    if kind == "zset":
        return [part for member, score in items for part in (repr(score), member)]
    return list(items)
