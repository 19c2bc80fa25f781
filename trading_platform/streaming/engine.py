"""The streaming engine of one shard and session: reads records in order, steps the pass, writes what came out.

Start and recovery are one path: take the newest state that is not ahead of what Redis holds, replay with the output
off up to there, then speak. A lost connection ends the engine; whoever runs it starts it again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import EngineError
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.ports import EngineOutputs, HeldOutputs, RecordSource
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.wire.journal_records import RecordBatch

READ_BYTES = 1_000_000
"""Replies of Redis above about this size get slower."""
WAIT_SECONDS = 0.2


@dataclass(slots=True)
class Progress:
    """What the engine did since it started."""

    recovered_from: int = 0
    replayed_to: int = 0
    batches: int = 0


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
    ) -> None:
        self.state = state
        self.progress = Progress(recovered_from=state.position, replayed_to=state.position)
        self._source = source
        self._outputs = outputs
        self._files = files
        self._state_every_ns = int(state_every_seconds * NS_PER_SECOND)
        self._elapsed_ns = elapsed_ns
        self._saved_at_ns = elapsed_ns()

    def catch_up(self, held: HeldOutputs | None) -> None:
        """Replay with the output off to where Redis stands; raise EngineError when it holds something else."""
        target = held.record if held else 0
        while self.state.position < target:
            batch = self._source.read(self.state.position, READ_BYTES, WAIT_SECONDS)
            if not len(batch):
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

    def step(self) -> int:
        """Take one batch, write what it gives; return how many records it had (0: none came)."""
        batch = self._source.read(self.state.position, READ_BYTES, WAIT_SECONDS)
        if not len(batch):
            return 0
        produced = self.state.feed(batch)
        self._outputs.write(self.state, produced)
        self.progress.batches += 1
        if self.state.closed or self._elapsed_ns() - self._saved_at_ns >= self._state_every_ns:
            self._files.save(self.state)
            self._saved_at_ns = self._elapsed_ns()
        return len(batch)

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
    rebuild: bool = False,
) -> Engine:
    """Return an engine that stands where Redis stands; with `rebuild` outputs and states are forgotten first."""
    if rebuild:
        outputs.reset()
        files.drop()
    held = outputs.held()
    state = files.load(source.blob, held.record if held else 0) or fresh()
    engine = Engine(
        state,
        source=source,
        outputs=outputs,
        files=files,
        state_every_seconds=state_every_seconds,
        elapsed_ns=elapsed_ns,
    )
    engine.catch_up(held)
    return engine


def _up_to(batch: RecordBatch, last: int) -> RecordBatch:
    return RecordBatch(batch.buffer, batch.table[batch.table["number"] <= last])
