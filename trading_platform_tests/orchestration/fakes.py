"""Stand-ins for Redis and for journals; they answer for any session."""
# ruff: noqa: ARG002

from datetime import date
from pathlib import Path

import orjson

from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.errors import JournalDamaged
from trading_platform.orchestration.resources import JournalsResource, RedisManagerResource
from trading_platform.ports import LivePosition
from trading_platform.wire.blocks import content_hash
from trading_platform.wire.records import Rows
from trading_platform_tests.batch.live_rows import live, replayed

DIGEST = "ab" * 32


def position(record: int = 21, *, last_closed: int = 1, closed: bool = True, digest: str = DIGEST) -> LivePosition:
    """Return a position behind the rows of `live_rows`."""
    return LivePosition(record, digest, 3, 2, 1, last_closed, closed)


class FakeStore:
    """Live outputs and blocks in memory; satisfies LiveOutputs, BlockPublisher and what the sensor asks."""

    def __init__(self, at: LivePosition | None = None, entry: str | None = None) -> None:
        self.at, self.entry = at, entry
        self.after_wait: tuple[LivePosition, str] | None = None
        self.waits: list[tuple[str, int]] = []
        self.blocks: dict[str, bytes] = {}

    def position(self, session: date) -> LivePosition | None:
        return self.at

    def read_bars(self, session: date) -> tuple[Rows, Rows]:
        bars, indicators, _ = live()
        return bars, indicators

    def read_signals(self, session: date) -> Rows:
        return live()[2]

    def last_bar_entry(self, session: date) -> str | None:
        return self.entry

    def wait_for_bars(self, session: date, after: str, milliseconds: int) -> bool:
        self.waits.append((after, milliseconds))
        if self.after_wait is None:
            return False
        self.at, self.entry = self.after_wait
        return True

    def publish_block(self, family: str, content: bytes) -> str:
        self.blocks[family] = content
        return content_hash(content)


STORES: dict[str, FakeStore] = {}
"""Stores by the `valkey_dir` of the resource that gives them: Dagster copies resources, so they hold no object."""


class FakeRedis(RedisManagerResource):
    """Gives a FakeStore instead of a connection."""

    def store(self) -> FakeStore:  # type: ignore[override]
        return STORES[self.valkey_dir]


def fake_redis(store: FakeStore) -> FakeRedis:
    """Return the resource that gives this store."""
    name = f"fake-{id(store)}"
    STORES[name] = store
    return FakeRedis(valkey_dir=name, shard="k1")


class FakeJournals(JournalsResource):
    """Has journals of the sessions named in `root`, comma-separated, and replays them to the rows of `live_rows`."""

    last_record: int = 21
    digest: str = DIGEST
    lost_bars: int = 0
    damaged: bool = False

    def sessions(self) -> list[date]:
        return [date.fromisoformat(text) for text in self.root.split(",") if text]

    def replay_in_fresh_process(self, session: date, out: Path) -> None:
        if self.damaged:
            raise JournalDamaged(f"record 7 of {session} fails its checksum")
        bars, indicators, signals = replayed(PATTERNS[1].name)
        bars.head(bars.height - self.lost_bars).write_parquet(out / "bars.parquet")
        indicators.write_parquet(out / "indicators.parquet")
        signals.write_parquet(out / "signals.parquet")
        summary = {"last_record": self.last_record, "features_digest": self.digest}
        (out / "summary.json").write_bytes(orjson.dumps(summary))
