"""What holds for all tests: no example is judged by how long a busy machine took for it; the longest begin first."""

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None, max_examples=50)
settings.load_profile("untimed")

_LONGEST = {"test_ui.py", "test_docs.py", "test_start.py", "test_live_equals_replay.py", "test_bench_load.py"}
"""Begun last, each would run alone while other processes have nothing left to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the longest tests first; the rest keeps its order."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)
