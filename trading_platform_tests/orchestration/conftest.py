"""Fixtures of the tests of Dagster's side."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from trading_platform_tests.orchestration.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield make_world(tmp_path, instance)
