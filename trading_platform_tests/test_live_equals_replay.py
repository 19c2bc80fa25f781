"""The promise of the platform: whatever crashes, what was written live is what a replay of the journal gives."""

from pathlib import Path

import pytest

from trading_platform_tests.torture.crashes import torture
from trading_platform_tests.torture.faults import torment

SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_processes_leave_what_an_undisturbed_pass_leaves(seed: int) -> None:
    report = torture(seed)
    assert not report.faults, "\n".join(report.faults)
    assert report.events.total() > 0
    assert report.signals > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_crashes_inside_the_engine_leave_what_an_undisturbed_pass_leaves(seed: int, tmp_path: Path) -> None:
    faults, crashes = torment(seed, tmp_path)
    assert faults == []
    assert crashes.total() > 5
