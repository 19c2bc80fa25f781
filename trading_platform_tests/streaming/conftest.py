from collections.abc import Iterator

import pytest

from trading_platform.storage.redis_manager import RedisManager


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    """One embedded server for all tests of this room; each empties it first."""
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()
