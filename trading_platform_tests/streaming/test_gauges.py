from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import StateNotWritten
from trading_platform.streaming.gauges import LatencyHistogram, write_snapshot


def test_nothing_counted_is_unknown() -> None:
    assert LatencyHistogram().summary() == {"count": 0, "p50": None, "p99": None, "max": None}


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


def test_what_is_shorter_or_longer_than_the_buckets_counts_too() -> None:
    histogram = LatencyHistogram()
    histogram.add(np.array([0, -5, 10**18], dtype=np.int64))
    assert histogram.count == 3


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
