"""What an engine says of itself: latency of live frames only, in real time, and instruments that went quiet."""

import numpy as np
import pytest

from trading_platform.calc.session_pass import SessionPass
from trading_platform.market.clock import NS_PER_SECOND, Clock
from trading_platform.streaming.engine_gauges import RecordLatency, pass_facts
from trading_platform.wire.journal_records import RECORD, RecordBatch, RecordKind
from trading_platform_tests.session_data import INDEX_TOKEN, TOKENS, make_session

EPOCH = 1_785_000_000 * NS_PER_SECOND
MS = 1_000_000


class Machine:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


def batch(*received_ns: int, kind: int = RecordKind.FRAME) -> RecordBatch:
    table = np.zeros(len(received_ns), RECORD)
    table["received_ns"], table["kind"] = received_ns, kind
    return RecordBatch(np.zeros(0, np.uint8), table)


def measure(latency: RecordLatency, machine: Machine, records: RecordBatch, *, fold_ms: int, write_ms: int) -> None:
    machine.now += fold_ms * MS
    latency.decoded()
    machine.now += write_ms * MS
    latency.written(records)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def live(machine: Machine, rate: float = 1.0) -> RecordLatency:
    """Return what has caught up, with a clock that shows EPOCH now."""
    latency = RecordLatency(machine)
    latency.follow(Clock(EPOCH, rate, machine.now))
    measure(latency, machine, batch(EPOCH), fold_ms=0, write_ms=0)
    assert latency.is_live
    return latency


@pytest.mark.parametrize("rate", [1.0, 20.0, 0.5])
def test_latency_is_real_time_from_receipt_at_any_rate(machine: Machine, rate: float) -> None:
    latency = live(machine, rate)
    machine.now += 5 * MS
    received = EPOCH + int(2 * MS * rate)  # when two real milliseconds had passed: three ago
    measure(latency, machine, batch(received, received), fold_ms=4, write_ms=10)
    decoded, written = latency.summary()["latency_ms"].values()
    assert (decoded["count"], written["count"]) == (2, 2)
    assert (decoded["max"], written["max"]) == (7.0, 17.0)
    assert written["sum"] == 34.0


def test_what_waited_for_the_start_of_the_engine_is_counted_apart(machine: Machine) -> None:
    latency = RecordLatency(machine)
    latency.follow(Clock(EPOCH, 1.0, machine.now))
    machine.now += 60 * NS_PER_SECOND
    for minute_old in range(0, 60, 10):
        measure(latency, machine, batch(EPOCH + minute_old * NS_PER_SECOND), fold_ms=1, write_ms=1)
    assert not latency.is_live
    caught_up = batch(EPOCH + 59 * NS_PER_SECOND, EPOCH + 60 * NS_PER_SECOND)
    measure(latency, machine, caught_up, fold_ms=1, write_ms=1)
    assert latency.is_live
    told = latency.summary()
    assert (told["caught_up_frames"], told["latency_ms"]["written"]["count"]) == (8, 0)
    # from here on a slow engine shows, however slow it is
    machine.now += 30 * NS_PER_SECOND
    measure(latency, machine, batch(EPOCH + 61 * NS_PER_SECOND), fold_ms=1, write_ms=1)
    assert latency.summary()["latency_ms"]["written"]["max"] > 28_000
    latency.begin()
    assert not latency.is_live


def test_records_of_another_time_are_never_live(machine: Machine) -> None:
    latency = RecordLatency(machine)
    latency.follow(Clock(EPOCH, 1.0, machine.now))
    measure(latency, machine, batch(EPOCH - 10**18), fold_ms=1, write_ms=1)
    measure(latency, machine, batch(EPOCH + 10**17), fold_ms=1, write_ms=1)
    assert not latency.is_live


def test_without_the_recorders_clock_nothing_is_measured(machine: Machine) -> None:
    latency = RecordLatency(machine)
    measure(latency, machine, batch(EPOCH, EPOCH), fold_ms=1, write_ms=1)
    assert latency.summary()["unmeasured_frames"] == 2
    assert latency.summary()["latency_ms"]["decoded"]["p50"] is None


@pytest.mark.parametrize("size", [1, 100, 5000, 20_000])
def test_every_frame_of_every_batch_is_counted_once(machine: Machine, size: int) -> None:
    latency = live(machine)
    for _ in range(30_000 // size):
        measure(latency, machine, batch(*[EPOCH] * size), fold_ms=1, write_ms=0)
    told = latency.summary()["latency_ms"]["decoded"]
    assert told["count"] == 30_000 // size * size
    assert told["sum"] == pytest.approx(sum(range(1, 30_000 // size + 1)) * size)
    assert latency.summary()["latency_ms"]["decoded"]["count"] == told["count"]


def test_what_was_noted_is_measured_by_the_clock_of_its_time(machine: Machine) -> None:
    latency = live(machine)
    measure(latency, machine, batch(EPOCH), fold_ms=3, write_ms=0)
    latency.follow(Clock(EPOCH + 5 * NS_PER_SECOND, 1.0, machine.now))
    measure(latency, machine, batch(EPOCH + 5 * NS_PER_SECOND), fold_ms=2, write_ms=0)
    told = latency.summary()["latency_ms"]["written"]
    assert (told["count"], told["sum"], told["max"]) == (2, 5.0, 3.0)


def test_control_records_are_not_measured(machine: Machine) -> None:
    latency = live(machine)
    measure(latency, machine, batch(EPOCH, kind=RecordKind.CONTROL), fold_ms=1, write_ms=1)
    assert latency.summary()["latency_ms"]["decoded"]["count"] == 0


def test_a_pass_says_where_it_stands_and_which_instruments_went_quiet() -> None:
    data = make_session(2, minutes=6, closed=False)
    state = SessionPass(data.session, data.contents.__getitem__)
    state.feed(data.batch)
    told = pass_facts(state, rate=1.0)
    assert (told["session"], told["position"], told["closed"]) == ("2016-08-17", len(data), False)
    assert told["counters"]["records"] == len(data)
    assert told["baseline_loaded"] is True
    groups = {group["class"]: group for group in told["groups"]}
    assert set(groups) == {"NSE_CASH", "NSE_INDEX"}
    assert groups["NSE_CASH"]["instruments"] == len(TOKENS) - 1
    now = state.last_received_ns
    assert groups["NSE_CASH"]["newest_ns"] == max(
        row["received_ns"] for row in state.memory.latest if row["token"] != INDEX_TOKEN
    )
    opens = 1_471_405_500 * NS_PER_SECOND  # 2016-08-17 09:15 IST
    assert groups["NSE_INDEX"]["continuous_since_ns"] == opens
    assert (groups["NSE_CASH"]["stale"], groups["NSE_CASH"]["never"]) == (0, 0)
    # two names fall silent, one was never heard of
    state.memory.latest["received_ns"][:2] = now - 61 * NS_PER_SECOND
    state.memory.latest["received_ns"][2] = 0
    quiet = {group["class"]: group for group in pass_facts(state, rate=1.0)["groups"]}["NSE_CASH"]
    assert (quiet["stale"], quiet["never"]) == (3, 1)
    # sixty seconds of real time are twenty minutes on a clock that runs twenty times as fast
    assert pass_facts(state, rate=20.0)["groups"][0]["stale"] == 0


def test_outside_continuous_trading_no_instrument_is_stale() -> None:
    data = make_session(2, minutes=1, closed=False)
    state = SessionPass(data.session, data.contents.__getitem__)
    state.feed(RecordBatch(data.batch.buffer, data.batch.table[:9]))  # opening records and a first frame
    state.memory.latest["received_ns"][:] = 0
    state.memory.phases[:, :, 1] += 10**6
    assert {(group["stale"], group["continuous_since_ns"]) for group in pass_facts(state, rate=1.0)["groups"]} == {
        (0, None)
    }


def test_an_empty_pass_has_no_groups() -> None:
    data = make_session(2, minutes=1)
    told = pass_facts(SessionPass(data.session, data.contents.__getitem__), rate=1.0)
    assert (told["groups"], told["position"], told["baseline_loaded"]) == ([], 0, False)
