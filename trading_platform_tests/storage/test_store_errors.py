import pytest
from redis import exceptions

from trading_platform.errors import StoreRefused
from trading_platform.storage.store_errors import store_error


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        (exceptions.AuthenticationError("invalid username-password pair"), True),
        (exceptions.NoPermissionError("this user has no permissions"), True),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), True),
        (exceptions.ConnectionError("refused"), False),
        (exceptions.TimeoutError("timeout"), False),
        (exceptions.BusyLoadingError("loading"), False),
        (exceptions.OutOfMemoryError("command not allowed"), False),
        (exceptions.ReadOnlyError("read only replica"), False),
        (exceptions.ResponseError("MISCONF disk full"), False),
    ],
)
def test_only_what_waiting_cannot_mend_is_refused_for_good(error: exceptions.RedisError, *, for_good: bool) -> None:
    made = store_error("the outputs", error)
    assert isinstance(made, StoreRefused) == for_good
    assert str(error) in str(made)
