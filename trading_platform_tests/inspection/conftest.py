"""One place with a recorded session for all tests of this room; whoever changes something puts it back."""

from collections.abc import Iterator

import pytest

from trading_platform_tests.inspection.made import Place, make_place
from trading_platform_tests.session_data import make_session


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = make_place(tmp_path_factory.mktemp("debug"), make_session(5, minutes=25))
    yield made
    made.manager.stop_server()
