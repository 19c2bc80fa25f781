"""Commands to Redis packed at once, for what is written or read on every frame: a client's pipeline is too slow."""

import weakref
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import hiredis
import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

_MULTI, _EXEC = hiredis.pack_command(("MULTI",)), hiredis.pack_command(("EXEC",))


def packed(*words: bytes | str | int) -> bytes:
    """Return one command as it is sent."""
    command: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub knows tuples of one word
    return command


class PackedHash:
    """HSET commands of a hash whose values have one size; how each field's name is packed is remembered."""

    def __init__(self, key: str, head: bytes, value_bytes: int) -> None:
        """Let every value be `head` and so many bytes behind it."""
        self._key = _argument(key.encode())
        self._names = _PackedNames(b"\r\n$%d\r\n%b" % (len(head) + value_bytes, head))

    def __len__(self) -> int:
        """Return how many fields there are."""
        return len(self._names)

    def add(self, names: Iterable[int]) -> None:
        """Know these fields."""
        for name in names:
            self._names[name]

    def set(self, names: Sequence[int], values: Sequence[bytes]) -> bytes:
        """Return the command that sets these fields."""
        fields = b"".join(chain.from_iterable(zip(map(self._names.__getitem__, names), values, strict=True)))
        return b"*%d\r\n$4\r\nHSET%b%b\r\n" % (2 + 2 * len(names), self._key, fields)


class _PackedNames(dict[int, bytes]):
    """A name as it is packed, with the end of the argument before it and the beginning of the one behind it."""

    def __init__(self, behind: bytes) -> None:
        super().__init__()
        self._behind = behind

    def __missing__(self, name: int) -> bytes:
        self[name] = packed_name = _argument(b"%d" % name) + self._behind
        return packed_name


def _argument(content: bytes) -> bytes:
    return b"\r\n$%d\r\n%b" % (len(content), content)


class Line:
    """One connection out of a client's pool, kept until something goes wrong on it; one thread at a time.

    Errors of redis-py pass through. A connection that failed, or on which something was refused, is closed and given
    back; what is asked next gets another one, which knows nothing of a WATCH before.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool = client.connection_pool
        self._connection: Any = None
        self._give_back: weakref.finalize[..., Any] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether what was asked last was asked on the connection that is asked next."""
        return self._connection is not None and bool(self._connection.is_connected)

    def ask(self, request: bytes, replies: int) -> list[Any]:
        """Send packed commands at once; return their replies, a refusal as the exception that it is."""
        connection = self._connect()
        answers: list[Any] = []
        try:
            connection.send_packed_command([request])
            while len(answers) < replies:
                try:
                    answers.append(connection.read_response())
                except ResponseError as refusal:
                    answers.append(refusal)
        finally:
            if len(answers) < replies:
                self.release()
        return answers

    def transact(
        self, commands: Sequence[bytes], *, behind: Sequence[bytes] = ()
    ) -> tuple[list[Any] | None, list[Any]]:
        """Run all commands or none; return their replies, None when a watched key had changed, and those of `behind`.

        Raise ResponseError for the first command that is refused.
        """
        request = b"".join((_MULTI, *commands, _EXEC, *behind))
        answers = self.ask(request, len(commands) + 2 + len(behind))
        queued, done = answers[: len(commands) + 1], answers[len(commands) + 1]
        for answer in (*queued, done, *(done if isinstance(done, list) else ())):
            if isinstance(answer, ResponseError):
                self.release()
                raise answer
        return done, answers[len(commands) + 2 :]

    def release(self) -> None:
        """Close the connection and give it back."""
        self._connection = None
        if self._give_back is not None:
            self._give_back()

    def _connect(self) -> Any:
        if self._connection is not None and not self._connection.is_connected:
            self.release()
            raise RedisConnectionError("the connection was closed")
        if self._connection is None:
            self._connection = self._pool.get_connection()
            # also when whoever holds the line is forgotten: a pool has a bound
            self._give_back = weakref.finalize(self, _give_back, self._pool, self._connection)
        return self._connection


def _give_back(pool: Any, connection: Any) -> None:
    connection.disconnect()
    pool.release(connection)
