"""A data folder for each test of a module, made once; its server is stopped at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_platform_tests.storage.backup.place import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = make_place(tmp_path)
    yield made
    made.manager.stop_server()
