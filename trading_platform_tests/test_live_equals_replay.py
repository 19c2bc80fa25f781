"""The promise of the platform: whatever crashes, what was written live is what a replay of the journal gives."""

from collections import Counter
from pathlib import Path

import pytest

from trading_platform.cli.bench_load import Load
from trading_platform_tests.torture.crashes import torture_all
from trading_platform_tests.torture.faults import torment
from trading_platform_tests.torture.feed_crashes import torture_feeds
from trading_platform_tests.torture.feed_market import SOCKETS
from trading_platform_tests.torture.redis_away import be_without_redis

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
    assert crashes.total() > 0  # how many there are depends on the machine: states are saved in real time


@pytest.mark.timeout(900)
def test_without_redis_nothing_is_lost_and_all_catch_up_when_it_is_back() -> None:
    load = Load(packets_per_frame=20, packets_per_second=2, seconds=600.0, instruments=200, warm_up_seconds=0.5)
    ordeal = be_without_redis(load, [("killed", 2.0), ("stopped", 3.0)])
    assert ordeal.faults == []
    assert [away["records_until_caught_up"] >= 20 for away in ordeal.figures["away"]] == [True, True]
