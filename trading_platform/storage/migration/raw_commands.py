"""Send many commands in one go and get the replies as the server gave them: bytes, nothing lost in a dictionary."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import redis
from hiredis import pack_command
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as TookTooLong

from trading_platform.errors import StoreUnavailable
from trading_platform.storage.store_errors import store_error

Command = tuple[bytes | str | int, ...]

# the client's own packing takes longer than the server's work; the stub of this one knows only one argument
_pack = cast("Callable[[Command], bytes]", pack_command)


def ask(client: "redis.Redis", commands: Sequence[Command]) -> list[Any]:
    """Return the replies in order, an error reply as the ResponseError that it is; raise StoreUnavailable.

    The client's own pipelines turn the fields of a stream's entry into a dictionary, in which a repeated one is lost.
    """
    if not commands:
        return []
    try:
        connection: Any = client.connection_pool.get_connection()
    except RedisError as error:
        raise store_error(
            "the server cannot be reached; start it and run the command again, it goes on", error
        ) from error
    is_clean = False
    try:
        connection.send_packed_command([b"".join(map(_pack, commands))])
        replies = [_reply(connection) for _ in commands]
        is_clean = True
    except (LostConnection, TookTooLong, OSError) as error:
        raise StoreUnavailable(f"the connection was lost: {error}; run the command again, it goes on") from error
    else:
        return replies
    finally:
        # a connection with replies still to come would give them to whoever asks next
        if not is_clean:
            connection.disconnect()
        client.connection_pool.release(connection)


def answered(replies: Iterable[Any]) -> list[Any]:
    """Return replies of which none may be an error; raise StoreRefused or StoreUnavailable for the first that is."""
    found = list(replies)
    for reply in found:
        if isinstance(reply, RedisError):
            raise store_error("the server refuses", reply) from reply
    return found


def pairs(reply: Any) -> list[tuple[Any, Any]]:
    """Return the pairs of a map, of a list of pairs, or of a flat list: the shapes of both protocols."""
    if isinstance(reply, Mapping):
        return list(reply.items())
    if reply and isinstance(reply[0], list):
        return [(one, other) for one, other in reply]
    return list(zip(reply[::2], reply[1::2], strict=True))


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
