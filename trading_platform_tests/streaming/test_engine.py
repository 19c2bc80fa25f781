import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from trading_platform.calc.session_pass import Produced, SessionPass
from trading_platform.errors import EngineError, StateNotWritten, StoreUnavailable
from trading_platform.ports import HeldOutputs
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.streaming.engine import PATIENCE_READS, Engine, start_engine
from trading_platform.streaming.engine_gauges import RecordLatency
from trading_platform.wire.journal_records import RecordBatch, empty_batch
from trading_platform_tests.session_data import make_session

DATA = make_session(2, minutes=6)
BATCH = 50


class Records:
    """Hands out the session in batches of fixed size, up to a last record."""

    def __init__(self, last: int = len(DATA)) -> None:
        self.last = last
        self.pauses = 0
        self.blob = DATA.contents.__getitem__

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:
        assert max_bytes > 0 < wait_seconds
        if self.pauses:
            self.pauses -= 1
            return empty_batch()
        rows = DATA.batch.table[after : min(after + BATCH, self.last)]
        return RecordBatch(DATA.batch.buffer, rows) if len(rows) else empty_batch()


class Outputs:
    """Keeps outputs in memory as Redis does: what is written twice is refused."""

    def __init__(self) -> None:
        self.bars: dict[tuple[int, int], bytes] = {}
        self.position: HeldOutputs | None = None
        self.refuse = False

    def held(self) -> HeldOutputs | None:
        return self.position

    def write(self, state: SessionPass, produced: Produced) -> None:
        if self.refuse:
            raise StoreUnavailable("away")
        for entry in produced.entries["bars"]:
            assert (entry.record, entry.part) not in self.bars
            self.bars[entry.record, entry.part] = entry.block
        digests = {family: digest.hex() for family, digest in state.digests.items()}
        self.position = HeldOutputs(state.position, digests, closed=state.closed, whole=True)
        state.drain_latest()

    def reset(self) -> None:
        self.bars.clear()
        self.position = None


class Bench:
    def __init__(self, folder: Path) -> None:
        self.outputs = Outputs()
        self.records = Records()
        self.reports: list[str] = []
        self.files = StateFiles(folder, code="a", report=self.reports.append)
        self.ticks = count(0, 10**9)  # a second passes with each look at the clock

    def start(
        self, *, rebuild: bool = False, stopped: Callable[[], bool] = lambda: False, **options: Any
    ) -> Engine | None:
        return start_engine(
            lambda: SessionPass(DATA.session, self.records.blob),
            source=self.records,
            outputs=self.outputs,
            files=self.files,
            state_every_seconds=2.0,
            elapsed_ns=lambda: next(self.ticks),
            report=self.reports.append,
            stopped=stopped,
            rebuild=rebuild,
            **options,
        )

    def run(self, steps: int | None = None, **how: bool) -> Engine:
        engine = self.start(**how)
        assert engine is not None
        while not engine.state.closed and (steps is None or engine.progress.batches < steps):
            assert engine.step() > 0
            engine.settle()  # how long a disk takes is nothing that these tests are about
        return engine


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state")


@pytest.fixture(scope="module")
def undisturbed() -> SessionPass:
    state = SessionPass(DATA.session, DATA.contents.__getitem__)
    state.feed(DATA.batch)
    return state


def test_a_session_is_written_up_to_its_close(bench: Bench, undisturbed: SessionPass) -> None:
    engine = bench.run()
    assert engine.state.position == len(DATA)
    assert engine.state.digests == undisturbed.digests
    assert len(bench.outputs.bars) == undisturbed.entries["bars"]


def test_a_restart_goes_on_from_the_newest_state_and_repeats_no_output(bench: Bench, undisturbed: SessionPass) -> None:
    bench.run(steps=4)
    engine = bench.run()
    assert 0 < engine.progress.recovered_from <= engine.progress.replayed_to == 4 * BATCH
    assert engine.state.digests == undisturbed.digests
    assert len(bench.outputs.bars) == undisturbed.entries["bars"]


def test_a_server_that_came_back_with_less_gets_what_it_lost(bench: Bench, undisturbed: SessionPass) -> None:
    bench.run(steps=2)
    bars, position = dict(bench.outputs.bars), bench.outputs.position
    bench.run(steps=4)
    bench.outputs.bars, bench.outputs.position = bars, position
    engine = bench.run()
    assert engine.progress.replayed_to == 2 * BATCH
    assert engine.state.digests == undisturbed.digests
    assert len(bench.outputs.bars) == undisturbed.entries["bars"]


def test_states_of_a_past_that_was_lost_are_not_used_later(bench: Bench, tmp_path: Path) -> None:
    bench.run(steps=4)
    assert list((tmp_path / "state").glob("*.state"))
    bench.outputs.reset()
    bench.start()
    assert not list((tmp_path / "state").glob("*.state"))


def test_an_emptied_server_gets_everything_again(bench: Bench, undisturbed: SessionPass) -> None:
    bench.run()
    bench.outputs.reset()
    engine = bench.run()
    assert (engine.progress.recovered_from, engine.progress.replayed_to) == (0, 0)
    assert len(bench.outputs.bars) == undisturbed.entries["bars"]


def test_digests_that_differ_stop_the_engine_and_rebuild_mends_it(bench: Bench, undisturbed: SessionPass) -> None:
    bench.run(steps=3)
    held = bench.outputs.position
    assert held is not None
    wrong = {**held.digests, "signals": "00" * 32}
    bench.outputs.position = HeldOutputs(held.record, wrong, closed=False, whole=True)
    with pytest.raises(EngineError, match="--rebuild"):
        bench.start()
    engine = bench.run(rebuild=True)
    assert engine.state.digests == undisturbed.digests
    assert len(bench.outputs.bars) == undisturbed.entries["bars"]


def test_streams_with_missing_entries_stop_the_engine(bench: Bench) -> None:
    bench.run(steps=3)
    held = bench.outputs.position
    assert held is not None
    bench.outputs.position = HeldOutputs(held.record, held.digests, closed=False, whole=False)
    with pytest.raises(EngineError, match="--rebuild"):
        bench.start()


def test_outputs_without_a_position_stop_the_engine(bench: Bench) -> None:
    bench.outputs.position = HeldOutputs(0, {}, closed=False, whole=False)
    with pytest.raises(EngineError, match="--rebuild"):
        bench.start()


def test_records_that_end_before_the_outputs_stop_the_engine(bench: Bench) -> None:
    bench.run(steps=4)
    bench.records.last = BATCH
    bench.files.drop()
    with pytest.raises(EngineError, match=f"reach record {4 * BATCH}, records only {BATCH}"):
        bench.start()


def test_records_that_come_late_while_catching_up_are_waited_for(bench: Bench, undisturbed: SessionPass) -> None:
    bench.run(steps=4)
    bench.files.drop()
    bench.records.pauses = PATIENCE_READS - 1
    assert bench.run().state.digests == undisturbed.digests


def test_no_records_are_no_step(bench: Bench) -> None:
    bench.records.last = 0
    engine = bench.start()
    assert engine is not None
    assert engine.step() == 0


def test_a_refused_write_leaves_no_state_behind_it(bench: Bench, tmp_path: Path) -> None:
    engine = bench.run(steps=1)
    before = sorted((tmp_path / "state").glob("*.state"))
    bench.outputs.refuse = True
    with pytest.raises(StoreUnavailable):
        engine.step()
    assert sorted((tmp_path / "state").glob("*.state")) == before


def test_a_full_disk_is_said_and_counted_and_does_not_stop_the_engine(
    bench: Bench, undisturbed: SessionPass, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: StateFiles, _position: int, _content: bytes) -> Path:
        raise StateNotWritten("the state file x was not written: No space left on device; make room in its folder")

    with monkeypatch.context() as patched:
        patched.setattr(StateFiles, "write", full)
        engine = bench.run()
    assert engine.state.digests == undisturbed.digests
    assert engine.progress.states_refused == len(bench.reports) > 1
    assert "goes on without" in bench.reports[0]
    engine.save_state()  # there is room again
    assert engine.progress.states_written == 1


def test_a_slow_disk_holds_up_no_record(
    bench: Bench, undisturbed: SessionPass, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, room = StateFiles.write, threading.Event()

    def slow(self: StateFiles, position: int, content: bytes) -> Path:
        assert room.wait(30.0)
        return written(self, position, content)

    monkeypatch.setattr(StateFiles, "write", slow)
    engine, state = bench.start(), SessionPass(DATA.session, DATA.contents.__getitem__)
    assert engine is not None
    as_it_was = {}
    for first in range(0, len(DATA) - BATCH, BATCH):
        assert engine.step() == BATCH
        state.feed(RecordBatch(DATA.batch.buffer, DATA.batch.table[first : first + BATCH]))
        state.drain_latest()
        as_it_was[state.position] = state.save()
    assert engine.progress.states_written == 0
    room.set()
    engine.finish()
    assert engine.progress.states_written == 1
    restored = bench.files.load(bench.records.blob, len(DATA))
    assert restored is not None
    assert restored.position < engine.state.position - BATCH  # several state files were due meanwhile
    assert restored.save() == as_it_was[restored.position]


def test_a_state_that_stands_already_is_not_written_again(bench: Bench) -> None:
    engine = bench.run()
    written = engine.progress.states_written
    engine.save_state()
    assert engine.progress.states_written == written


def test_catching_up_ends_when_asked_to_stop(bench: Bench) -> None:
    bench.run(steps=4)
    bench.files.drop()
    answers = iter([False, False, True])
    assert bench.start(stopped=lambda: next(answers)) is None


def test_whoever_watches_sees_every_turn_and_whether_it_has_caught_up(bench: Bench) -> None:
    bench.run(steps=4)
    bench.files.drop()
    seen: list[tuple[int, bool]] = []
    engine = bench.start(watch=lambda engine: seen.append((engine.state.position, engine.caught_up)))
    assert engine is not None
    bench.records.last = 5 * BATCH
    engine.step()
    engine.step()  # finds nothing
    assert seen == [(0, False), (50, False), (100, False), (150, False), (200, True), (250, True)]


def test_a_batch_is_measured_when_it_is_acknowledged_and_not_before(bench: Bench) -> None:
    latency = RecordLatency()
    engine = bench.start(latency=latency)
    assert engine is not None
    engine.step()
    assert latency.unmeasured_frames == BATCH - 8  # the first eight are control records
    bench.outputs.refuse = True
    with pytest.raises(StoreUnavailable):
        engine.step()
    assert latency.unmeasured_frames == BATCH - 8
    latency.is_live = True
    bench.outputs.refuse = False
    bench.start(latency=latency)
    assert not latency.is_live
