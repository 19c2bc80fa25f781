"""The source of the benches from stream to Redis: one process that records made frames, without sockets."""

from typing import Any

import orjson

from trading_platform.cli.bench_load import Load
from trading_platform.cli.bench_stack import Stack
from trading_platform.market.clock import Clock


class StreamSource:
    """Starts the writer, reads its clock, stops it."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}

    def prepare(self, stack: Stack, load: Load) -> None:
        """Nothing has to be there before the writer."""

    def begin(self, stack: Stack, load: Load) -> Clock:
        """Start the writer; frames flow when it has printed its clock."""
        stack.start_module(
            "writer",
            "trading_platform.cli.bench_writer",
            f"--instruments={load.instruments}",
            f"--packets-per-second={load.packets_per_second}",
            f"--packets-per-frame={load.packets_per_frame}",
        )
        printed = stack.wait_for_line("writer", "anchor_ns")
        return Clock(**orjson.loads(printed.splitlines()[0]))

    def finish(self, stack: Stack) -> list[str]:
        """Stop the writer, which records what it has begun and closes the journal."""
        stack.children.stop("writer")
        told = orjson.loads(stack.children.printed("writer").splitlines()[-1])
        self._told = {"redis_failures": told["redis_failures"]}
        return [told["sha256"]]

    def told(self) -> dict[str, Any]:
        """Return how often Redis refused."""
        return self._told
