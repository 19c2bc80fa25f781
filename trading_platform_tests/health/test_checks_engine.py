from typing import Any

import pytest

from trading_platform.health import checks_engine as checks
from trading_platform.health.findings import Level
from trading_platform.health.snapshots import EngineSnapshot, Observed
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.market.session_kinds import SessionClass
from trading_platform_tests.health.made import (
    CLASSES,
    CLOSED,
    OPEN,
    SOON,
    at,
    clock_at,
    engine,
    feed,
    group,
    histogram,
    hours_at,
)

NOBODY: Observed[EngineSnapshot] = Observed()
GREEN, DEGRADED, RED = Level
INDEX, CASH, OPTIONS = CLASSES


def test_an_engine_at_work_is_green_with_its_figures() -> None:
    found = checks.check_engine(engine(), feed(), OPEN)
    assert (found.level, found.says) == (GREEN, "running: session 2026-07-31, record 998")
    assert (found.figures["position"], found.figures["batches_total"]) == (998, 40)


@pytest.mark.parametrize(
    ("observed", "says", "levels"),
    [
        (NOBODY, "no engine of this shard has run here", (2, 1, 0)),
        (engine(alive=False), "is gone without a word", (2, 1, 1)),
        (engine(age=10.5), "has said nothing for 10 s", (2, 1, 1)),
        (engine(state="waiting", waiting="Redis is away"), "waiting: Redis is away", (2, 1, 0)),
        (engine(state="catching up"), "catching up", (1, 1, 0)),
        (engine(session="2026-07-30"), "the feed records 2026-07-31", (1, 1, 0)),
        (engine(progress={"states_refused": 2}), "2 state files could not be written", (1, 1, 1)),
    ],
)
def test_an_engine_that_is_not_at_its_work(
    observed: Observed[EngineSnapshot], says: str, levels: tuple[int, int, int]
) -> None:
    found = [checks.check_engine(observed, feed(), hours) for hours in (OPEN, SOON, CLOSED)]
    assert all(says in one.says for one in found)
    assert tuple(int(one.level) for one in found) == levels
    assert found[0].advice


def test_an_engine_without_a_journal_is_red_when_there_has_to_be_one() -> None:
    idle = engine(state="idle", session=None)
    assert checks.check_engine(idle, feed(state="idle", waiting="x"), OPEN).level is RED
    assert checks.check_engine(idle, feed(state="idle", waiting="x"), CLOSED).level is GREEN


@pytest.mark.parametrize(
    ("position", "lag_ms", "level"),
    [
        (1000, 40_000.0, GREEN),  # it has all that there is: the feed is silent, and that is said elsewhere
        (990, 4_999.0, GREEN),
        (990, 5_000.0, DEGRADED),
        (10, 30_000.0, RED),
        (990, None, DEGRADED),
    ],
)
def test_lag_counts_when_there_is_something_to_read(position: int, lag_ms: float | None, level: Level) -> None:
    found = checks.check_lag(engine(position=position, lag_ms=lag_ms), feed(), OPEN)
    assert (found.level, found.figures) == (level, {"records": 1000 - position, "ms": lag_ms})
    assert checks.check_lag(engine(position=position, lag_ms=lag_ms), feed(), CLOSED).level is GREEN


def test_lag_of_two_sessions_is_not_known() -> None:
    assert checks.check_lag(engine(session="2026-07-30"), feed(), OPEN).level is DEGRADED
    assert checks.check_lag(NOBODY, feed(), OPEN).level is DEGRADED
    assert checks.check_lag(NOBODY, feed(), CLOSED).level is GREEN


def test_latency_is_told_for_each_stage_and_judged_by_the_worst() -> None:
    found = checks.check_latency(engine(), feed(), OPEN)
    assert found.level is GREEN
    assert "journal 0.5/0.5 ms, stream 1.5/1.5 ms, decoded 2.0/2.0 ms, written 3.0/3.0 ms" in found.says
    assert list(checks.latencies(engine(), feed())) == ["journal", "stream", "decoded", "written"]
    slow = engine(latency_ms={"decoded": histogram(2.0), "written": histogram(1000.0)})
    assert checks.check_latency(slow, feed(), OPEN).level is DEGRADED
    stuck = feed(latency_ms={"journal": histogram(10_000.0), "stream": histogram(1.0)})
    assert checks.check_latency(engine(), stuck, OPEN).level is RED
    assert checks.check_latency(engine(), stuck, CLOSED).level is GREEN


def test_only_the_last_minutes_are_judged() -> None:
    past = histogram(60_000.0)
    past["recent"] = {"count": 500, "p50": 1.0, "p99": 2.0}
    assert checks.check_latency(engine(latency_ms={"written": past, "decoded": past}), feed(), OPEN).level is GREEN


@pytest.mark.parametrize(("count", "level"), [(99, GREEN), (100, DEGRADED)])
def test_one_slow_frame_of_a_few_is_no_percentile(count: int, level: Level) -> None:
    few = histogram(5.0)
    few["recent"] = {"count": count, "p50": 5.0, "p99": 3000.0}
    assert checks.check_latency(engine(latency_ms={"written": few, "decoded": few}), feed(), OPEN).level is level


def test_a_stage_that_is_not_measured_is_named() -> None:
    unmeasured = engine(latency_ms={"decoded": histogram(None), "written": histogram(None)})
    found = checks.check_latency(unmeasured, feed(), OPEN)
    assert found.level is DEGRADED
    assert "not measured: decoded, written" in found.says
    # where time itself comes with the messages it cannot be measured, and that is no fault
    told = feed(clock={"epoch_ns": at(10), "rate": 600.0, "anchor_ns": 1, "steady": False})
    assert checks.check_latency(unmeasured, told, OPEN).level is GREEN
    assert checks.check_latency(NOBODY, Observed(), OPEN).level is DEGRADED
    assert checks.check_latency(NOBODY, Observed(), CLOSED).level is GREEN


@pytest.mark.parametrize(
    ("quiet", "level"), [(0.0, GREEN), (9.5, GREEN), (10.5, DEGRADED), (29.0, DEGRADED), (31.0, RED)]
)
def test_a_busy_group_that_falls_silent(quiet: float, level: Level) -> None:
    groups = [group(INDEX), group(CASH, newest_ns=at(10) - int(quiet * NS_PER_SECOND)), group(OPTIONS)]
    found = checks.check_freshness(engine(groups=groups), feed(), OPEN, clock_at(at(10)))
    assert found.level is level
    assert (CASH in (found.advice or "")) == (level is not GREEN)
    seconds = found.figures["seconds"]
    assert isinstance(seconds, dict)
    assert seconds[CASH] == pytest.approx(quiet, abs=1.0)


def test_silence_is_real_time() -> None:
    # ten market minutes are thirty real seconds at twenty times the speed
    groups = [group(name, newest_ns=at(9, 50)) for name in CLASSES]
    fast = checks.check_freshness(engine(groups=groups), feed(), OPEN, clock_at(at(10), 20.0))
    assert fast.level is RED
    groups = [group(name, newest_ns=at(9, 58)) for name in CLASSES]
    assert checks.check_freshness(engine(groups=groups), feed(), OPEN, clock_at(at(10), 20.0)).level is GREEN


@pytest.mark.parametrize(("instruments", "level"), [(10, GREEN), (60, DEGRADED)])
def test_a_few_options_may_be_quiet_for_longer(instruments: int, level: Level) -> None:
    groups = [group(INDEX), group(CASH), group(OPTIONS, instruments=instruments, newest_ns=at(9, 59, 40))]
    assert checks.check_freshness(engine(groups=groups), feed(), OPEN, clock_at(at(10))).level is level


def test_right_after_the_open_a_group_has_time_to_speak() -> None:
    moment = at(9, 15, 5)
    silent = engine(groups=[group(name, newest_ns=None, never=100) for name in CLASSES])
    assert checks.check_freshness(silent, feed(), hours_at(moment), clock_at(moment)).level is GREEN
    later = at(9, 16)
    assert checks.check_freshness(silent, feed(), hours_at(later), clock_at(later)).level is RED


def test_a_group_that_was_planned_and_never_came_is_missed() -> None:
    found = checks.check_freshness(engine(groups=[group(INDEX), group(CASH)]), feed(), OPEN, clock_at(at(10)))
    assert found.level is RED
    assert OPTIONS in (found.advice or "")


def test_groups_are_judged_in_their_own_hours() -> None:
    classes = (*CLASSES, SessionClass.MCX)
    evening = at(20)
    groups = [*(group(name, newest_ns=at(15, 29)) for name in CLASSES), group(SessionClass.MCX, newest_ns=evening)]
    fresh = checks.check_freshness(engine(groups=groups), feed(), hours_at(evening, classes), clock_at(evening))
    assert fresh.level is GREEN
    assert list(fresh.figures["seconds"]) == [SessionClass.MCX]  # type: ignore[arg-type]
    groups[-1] = group(SessionClass.MCX, newest_ns=at(19, 59))
    stale = checks.check_freshness(engine(groups=groups), feed(), hours_at(evening, classes), clock_at(evening))
    assert stale.level is RED
    assert checks.check_freshness(engine(groups=groups), feed(), hours_at(evening), clock_at(evening)).level is GREEN


@pytest.mark.parametrize("observed", [NOBODY, engine(age=11.0), engine(session="2026-07-30")])
def test_what_an_engine_does_not_say_is_never_green_in_market_hours(observed: Observed[EngineSnapshot]) -> None:
    for found in (
        checks.check_freshness(observed, feed(), OPEN, clock_at(at(10))),
        checks.check_stale(observed, OPEN),
    ):
        assert found.level is DEGRADED
    assert checks.check_stale(observed, CLOSED).level is GREEN
    assert checks.check_packets(NOBODY, OPEN).level is DEGRADED


@pytest.mark.parametrize(
    ("name", "stale", "level"), [(CASH, 20, GREEN), (CASH, 21, DEGRADED), (OPTIONS, 90, GREEN), (OPTIONS, 91, DEGRADED)]
)
def test_a_share_of_stale_instruments(name: SessionClass, stale: int, level: Level) -> None:
    found = checks.check_stale(engine(groups=[group(name, stale=stale, never=2)]), OPEN)
    assert found.level is level
    assert found.figures["share"] == {name: stale / 100}
    assert found.figures["never_heard"] == {name: 2}


def test_stale_means_nothing_outside_continuous_trading() -> None:
    groups = [group(INDEX, stale=100, continuous_since_ns=None)]
    assert checks.check_stale(engine(groups=groups), OPEN).level is GREEN


@pytest.mark.parametrize("name", ["unknown_token", "damaged_frames", "damaged_bytes", "unknown_kind"])
def test_what_cannot_be_used_is_counted_and_named(name: str) -> None:
    found = checks.check_packets(engine(counters={name: 3}), OPEN)
    assert found.level is DEGRADED
    assert f"3 {name.replace('_', ' ')}" in found.says
    counted: Any = found.figures["counted_total"]
    assert (counted[name], counted["packets"]) == (3, 5000)


def test_records_that_are_missing_from_the_journal_are_red() -> None:
    assert checks.check_packets(engine(counters={"missing_records": 1}), CLOSED).level is RED
    assert checks.check_packets(engine(), OPEN).level is GREEN


def test_reconciled_bars_are_told_where_they_are_counted() -> None:
    assert checks.reconciled_bars(NOBODY) is None
    assert checks.reconciled_bars(engine()) is None
    assert checks.reconciled_bars(engine(counters={"reconciled_bars": 4})) == 4
