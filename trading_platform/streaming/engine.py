"""The streaming engine of one shard and session: reads records in order, steps the pass, writes what came out.

Start and recovery are one path: take the newest state that is not ahead of what Redis holds, replay with the output
off up to there, then speak. A lost connection ends the engine; whoever runs it starts it again.

State files are written by a thread of their own: a disk takes longer than a record may wait.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import EngineError, JournalChanged, StateNotWritten
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.ports import EngineOutputs, HeldOutputs, RecordSource
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.streaming.engine_gauges import RecordLatency
from trading_platform.wire.journal_records import RecordBatch

READ_BYTES = 1_000_000
"""Replies of Redis above about this size get slower."""
WAIT_SECONDS = 0.2
PATIENCE_READS = 15
"""Empty reads in a row before records count as lost: the recorder may be filling the stream again just now."""


@dataclass(slots=True)
class Progress:
    """What the engine did since it started."""

    recovered_from: int = 0
    replayed_to: int = 0
    batches: int = 0
    states_written: int = 0
    states_refused: int = 0


class Engine:
    """Owns the pass of one session."""

    def __init__(
        self,
        state: SessionPass,
        *,
        source: RecordSource,
        outputs: EngineOutputs,
        files: StateFiles,
        state_every_seconds: float,
        elapsed_ns: Callable[[], int],
        report: Callable[[str], None],
        latency: RecordLatency | None = None,
        watch: Callable[["Engine"], None] = lambda _engine: None,
    ) -> None:
        self.state = state
        self.latency = latency or RecordLatency()
        self.latency.begin()
        self.progress = Progress(recovered_from=state.position, replayed_to=state.position)
        self._source = source
        self._outputs = outputs
        self._files = files
        self._state_every_ns = int(state_every_seconds * NS_PER_SECOND)
        self._elapsed_ns = elapsed_ns
        self._report = report
        self._watch = watch
        self._saved_at_ns = elapsed_ns()
        self._saved_position = state.position
        self._saving: tuple[int, Future[Path]] | None = None
        self._saver = ThreadPoolExecutor(1, "state-file")
        self.caught_up = False

    def catch_up(self, held: HeldOutputs | None, stopped: Callable[[], bool]) -> bool:
        """Replay with the output off to where Redis stands; return False when asked to stop on the way.

        Raise EngineError when Redis holds something else than what the records give.
        """
        target, silent = held.record if held else 0, 0
        while self.state.position < target:
            if stopped():
                return False
            self._watch(self)
            batch = self._source.read(self.state.position, READ_BYTES, WAIT_SECONDS)
            silent = 0 if len(batch) else silent + 1
            if silent == PATIENCE_READS:
                raise EngineError(
                    f"outputs reach record {target}, records only {self.state.position}: the journal of "
                    f"{self.state.session} lost its end; restore it, or run the engine with --rebuild"
                )
            self.state.feed(_up_to(batch, target))
        self.state.drain_latest()
        self.progress.replayed_to = self.state.position
        if held and (not held.whole or held.digests != self._digests()):
            raise EngineError(
                f"outputs of {self.state.session} in Redis are not what record {target} gives: other code, other "
                "settings, or a damaged key; run the engine with --rebuild to write them again from the journal"
            )
        self.caught_up = True
        return True

    def step(self) -> int:
        """Take one batch, write what it gives; return how many records it had (0: none came)."""
        self._watch(self)
        batch = self._source.read(self.state.position, READ_BYTES, WAIT_SECONDS)
        if not len(batch):
            return 0
        produced = self.state.feed(batch)
        self.latency.decoded()
        self._outputs.write(self.state, produced)
        self.latency.written(batch)
        self.progress.batches += 1
        self._save_in_time()
        return len(batch)

    def save_state(self) -> None:
        """Write a state file of what the outputs hold, and wait until it is there.

        A disk that refuses is said and counted, and does not stop us: the journal gives the same state, only later.
        """
        self.settle()
        self._begin_saving()
        self.settle()

    def settle(self) -> None:
        """Wait for the state file that is being written, and count it."""
        if self._saving is None:
            return
        (position, written), self._saving = self._saving, None
        try:
            written.result()
        except StateNotWritten as error:
            self.progress.states_refused += 1
            self._report(f"{error}. The engine goes on without; a restart will replay more of the journal")
            return
        self._saved_position = position
        self.progress.states_written += 1

    def finish(self) -> None:
        """Wait for a state file that is being written; before that nobody else may look at the state files."""
        self.settle()
        self._saver.shutdown()

    def _save_in_time(self) -> None:
        if self._saving is not None and self._saving[1].done():
            self.settle()
        if self.state.closed:
            self.save_state()
        elif self._saving is None and self._elapsed_ns() - self._saved_at_ns >= self._state_every_ns:
            self._begin_saving()

    def _begin_saving(self) -> None:
        position = self.state.position
        if self._saved_position != position:
            self._saved_at_ns = self._elapsed_ns()
            self._saving = position, self._saver.submit(self._files.write, position, self.state.save())

    def _digests(self) -> dict[str, str]:
        return {family: digest.hex() for family, digest in self.state.digests.items()}


def start_engine(
    fresh: Callable[[], SessionPass],
    *,
    source: RecordSource,
    outputs: EngineOutputs,
    files: StateFiles,
    state_every_seconds: float,
    elapsed_ns: Callable[[], int],
    report: Callable[[str], None],
    stopped: Callable[[], bool],
    rebuild: bool = False,
    latency: RecordLatency | None = None,
    watch: Callable[[Engine], None] = lambda _engine: None,
) -> Engine | None:
    """Return an engine that stands where Redis stands, None when asked to stop on the way there.

    With `rebuild` outputs and states are forgotten first, and so are, with a line that says it, those of another
    journal. `watch` is shown the engine before each batch. Raise JournalChanged while the journal has no record that
    tells whose the outputs are.
    """
    if rebuild:
        outputs.reset()
        files.drop()
    held = outputs.held()
    if held and held.of_this_journal is None:
        raise JournalChanged(
            "outputs in Redis were computed from a journal that is not there, and the one that is has no record yet: "
            "restore the former, or let the recorder begin"
        )
    if held and not held.of_this_journal:
        report(f"outputs up to record {held.record} were computed from another journal of this session: they are reset")
        outputs.reset()
        files.drop()
        held = None
    reached = held.record if held else 0
    files.forget_beyond(reached)
    engine = Engine(
        files.load(source.blob, reached) or fresh(),
        source=source,
        outputs=outputs,
        files=files,
        state_every_seconds=state_every_seconds,
        elapsed_ns=elapsed_ns,
        report=report,
        latency=latency,
        watch=watch,
    )
    return engine if engine.catch_up(held, stopped) else None


def _up_to(batch: RecordBatch, last: int) -> RecordBatch:
    return RecordBatch(batch.buffer, batch.table[batch.table["number"] <= last])
