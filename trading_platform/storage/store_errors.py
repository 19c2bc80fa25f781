"""Tell a server that is away for a while from one that refuses until somebody mends something."""

from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError

from trading_platform.errors import StoreRefused, StoreUnavailable

_FOR_GOOD = (AuthenticationError, AuthorizationError, NoPermissionError)
_WORDS = ("WRONGTYPE", "NOAUTH", "WRONGPASS", "NOPERM", "unknown command")


def store_error(what: str, error: RedisError) -> StoreUnavailable:
    """Return the error to raise: StoreRefused where waiting cannot help."""
    if isinstance(error, _FOR_GOOD) or any(word in str(error) for word in _WORDS):
        return StoreRefused(
            f"{what}: {error}; waiting does not help: mend the user, the password and its rights, or move the key away"
        )
    return StoreUnavailable(f"{what}: {error}")
