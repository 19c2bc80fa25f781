from collections.abc import Iterator

import pytest

from trading_platform_tests.migration.two_servers import TwoServers, two_servers


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServers]:
    with two_servers(tmp_path_factory.mktemp("servers")) as both:
        yield both


@pytest.fixture
def servers(running: TwoServers) -> TwoServers:
    running.flush()
    return running
