import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import StateNotWritten
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.streaming.gauges import LatencyHistogram, clock_of, read_snapshot, write_snapshot, write_stamp


def test_nothing_counted_is_unknown() -> None:
    told = LatencyHistogram().summary()
    assert (told["count"], told["sum"], told["p50"], told["p99"], told["max"]) == (0, 0.0, None, None, None)
    assert told["recent"] == {"count": 0, "p50": None, "p99": None}
    assert {count for _, count in told["buckets"]} == {0}


@given(st.lists(st.integers(1_000, 10**11), min_size=1, max_size=200))
def test_percentiles_are_a_sixteenth_above_at_most(durations: list[int]) -> None:
    histogram = LatencyHistogram()
    for part in np.array_split(np.array(durations, dtype=np.int64), 3):
        histogram.add(part)
    for share in (0.5, 0.99):
        exact = float(np.quantile(durations, share, method="inverted_cdf")) / 1e6
        found = histogram.percentile_ms(share)
        assert found is not None
        assert exact * 0.999 <= found <= exact * 1.07
    assert histogram.summary()["max"] == max(durations) / 1e6
    assert histogram.count == len(durations)


@given(st.lists(st.integers(-5, 10**15), min_size=9, max_size=60))
def test_a_few_at_a_time_count_like_many_at_once(durations: list[int]) -> None:
    at_once, one_by_one = LatencyHistogram(), LatencyHistogram()
    at_once.add(np.array(durations, dtype=np.int64))
    for duration in durations:
        one_by_one.add(np.array([duration], dtype=np.int64))
    assert at_once.summary() == one_by_one.summary()


def test_what_is_shorter_or_longer_than_the_buckets_counts_too() -> None:
    histogram = LatencyHistogram()
    histogram.add(np.array([0, -5, 10**18], dtype=np.int64))
    assert histogram.count == 3


def test_buckets_count_up_to_their_edge() -> None:
    histogram = LatencyHistogram()
    histogram.add(np.array([20_000, 100_000, 3_000_000, 10**12], dtype=np.int64))
    edges = dict(histogram.summary()["buckets"])
    assert (edges[0.016], edges[0.032], edges[0.128], edges[4.096]) == (0, 1, 2, 3)
    assert max(edges.values()) == 3  # a quarter of an hour is beyond the last edge, and in the count
    assert histogram.summary()["sum"] == pytest.approx(0.02 + 0.1 + 3 + 1e6)


def test_recent_is_the_last_minute_or_two() -> None:
    histogram = LatencyHistogram()
    slow, quick = np.array([10**9] * 50), np.array([10**6] * 50)
    for second in range(240):
        histogram.mark(second * NS_PER_SECOND)
        histogram.add(slow if second < 30 else quick)
    told = histogram.summary()
    assert told["p99"] == pytest.approx(1000, rel=0.07)
    assert told["recent"]["p99"] == pytest.approx(1.0, rel=0.07)
    assert 60 * 50 <= told["recent"]["count"] <= 120 * 50


def test_a_stamp_tells_who_and_when_by_both_clocks() -> None:
    before = elapsed_ns(), time.time_ns()
    stamp = write_stamp()
    after = elapsed_ns(), time.time_ns()
    assert stamp["pid"] == os.getpid()
    assert before[0] <= stamp["written"]["monotonic_ns"] <= after[0]
    assert before[1] <= stamp["written"]["wall_ns"] <= after[1]


@pytest.mark.parametrize("content", [None, b"", b"[1]", b"{", b"\xff"])
def test_what_is_no_snapshot_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "k1.json"
    if content is not None:
        path.write_bytes(content)
    assert read_snapshot(path) is None


def test_a_clock_is_read_back_unless_it_cannot_run() -> None:
    clock = Clock.starting_at(10**18, 20.0)
    assert clock_of(dataclasses.asdict(clock)) == clock
    named = dataclasses.asdict(clock)
    before_the_start_of_the_machine = {"anchor_ns": elapsed_ns() + 10**15}
    for wrong in ({"rate": 0.0}, {"rate": -1}, {"rate": "inf"}, {"epoch_ns": None}, before_the_start_of_the_machine):
        assert clock_of(named | wrong) is None
    assert clock_of(None) is None
    assert clock_of([]) is None


def test_a_snapshot_replaces_the_last_and_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "feed" / "k1.json"
    write_snapshot(path, {"a": 1})
    write_snapshot(path, {"a": 2})
    assert orjson.loads(path.read_bytes()) == {"a": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["k1.json"]


def test_a_snapshot_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "feed").write_text("no folder")
    with pytest.raises(StateNotWritten, match=r"k1\.json"):
        write_snapshot(tmp_path / "feed" / "k1.json", {})
