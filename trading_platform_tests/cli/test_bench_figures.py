import numpy as np

from trading_platform.cli.bench_figures import Arrivals, Seen, Span, backlog, latency, ticks_per_second

MS = 1_000_000
SECOND = 1000 * MS


def arrivals(every_ns: int, count: int, packets: int = 20) -> Arrivals:
    return Arrivals(np.arange(count, dtype=np.int64) * every_ns, np.full(count, packets, np.int64))


def test_a_record_is_readable_with_the_first_position_that_reaches_it() -> None:
    came = Arrivals(np.array([0, 10, 20, 30], np.int64) * MS, np.full(4, 20, np.int64))
    seen = Seen(np.array([12, 25, 50], np.int64) * MS, np.array([1, 3, 3], np.int64))
    found = latency(came.received_ns, came.numbers, seen)
    # records 1, 2, 3 after 12, 15 and 5 ms; nobody ever held the fourth
    assert (found["frames"], found["missing"]) == (3, 1)
    assert (found["p50"], found["max"]) == (12.0, 15.0)


def test_nothing_measured_gives_no_percentile() -> None:
    nothing = np.zeros(0, np.int64)
    found = latency(nothing, nothing, Seen(nothing, nothing))
    assert found == {"frames": 0, "missing": 0, "p50": None, "p99": None, "max": None}


def test_a_reader_that_keeps_up_has_a_backlog_that_does_not_grow() -> None:
    came = arrivals(MS, 10_000)
    seen = Seen(came.received_ns + 3 * MS, came.numbers)
    found = backlog(came, seen, Span(SECOND, 9 * SECOND))
    assert found["samples"] == 80
    assert found["records_per_second"] == 1000.0
    assert (found["p50"], found["max"], found["slope_records_per_second"]) == (3.0, 3.0, 0.0)
    assert not found["growing"]


def test_a_reader_that_is_two_per_cent_too_slow_has_one_that_grows() -> None:
    came = arrivals(MS, 10_000)
    seen = Seen((came.received_ns * 1.02).astype(np.int64), came.numbers)
    found = backlog(came, seen, Span(SECOND, 9 * SECOND))
    # 1000 come and 1000 / 1.02 are dealt with in each second, so after eight there are 157 more
    assert abs(found["slope_records_per_second"] - (1000 - 1000 / 1.02)) < 0.1
    assert abs(found["growth_ms"] - 157) < 1
    assert found["growing"]


def test_one_long_pause_that_is_made_good_is_no_growth() -> None:
    came = arrivals(MS, 20_000)
    late = np.maximum(came.received_ns + MS, np.where(came.received_ns < 10 * SECOND, 0, 10 * SECOND + 300 * MS))
    found = backlog(came, Seen(late, came.numbers), Span(0, 20 * SECOND))
    # the last sample before it was made good saw 200 ms of records
    assert 200 <= found["max"] <= 202
    assert not found["growing"]


def test_ticks_are_counted_inside_the_span_only() -> None:
    assert ticks_per_second(arrivals(100 * MS, 100), Span(SECOND, 3 * SECOND)) == 200
