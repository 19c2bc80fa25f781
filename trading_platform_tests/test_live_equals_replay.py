"""The promise of the platform: whatever crashes, what was written live is what a replay of the journal gives."""

from collections import Counter
from pathlib import Path

import pytest

from trading_platform_tests.torture.crashes import torture_all
from trading_platform_tests.torture.faults import torment
from trading_platform_tests.torture.feed_crashes import SOCKETS, torture_feeds

SEEDS = range(10)
AT_ONCE = 3


def test_killed_processes_leave_what_an_undisturbed_pass_leaves() -> None:
    reports = list(torture_all(SEEDS, jobs=AT_ONCE))
    assert [fault for report in reports for fault in report.faults] == []
    assert all(report.events.total() > 0 for report in reports)
    assert min(report.signals for report in reports) > 20


# real processes in real time, and a machine that may have other things to do
@pytest.mark.timeout(900)
def test_killed_feeds_lose_what_their_gaps_say_and_nothing_else() -> None:
    reports = list(torture_feeds(SEEDS, jobs=AT_ONCE))
    assert [fault for report in reports for fault in report.faults] == []
    killed, kept = sum((one.events for one in reports), Counter()), sum((one.counts for one in reports), Counter())
    assert {"feed", "engine", "valkey"} <= set(killed)
    assert kept["gaps"] > SOCKETS
    assert kept["missing"] > 0
    assert kept["may_be_flagged"] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_crashes_inside_the_engine_leave_what_an_undisturbed_pass_leaves(seed: int, tmp_path: Path) -> None:
    faults, crashes = torment(seed, tmp_path)
    assert faults == []
    assert crashes.total() > 5
