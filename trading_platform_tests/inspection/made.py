"""A data folder with one recorded session that an engine worked through and the lake took over."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import redis

from trading_platform.batch.bars import bars_of_replay
from trading_platform.batch.pattern_runs import signals_of_replay
from trading_platform.batch.record_loop import Limit, feed_records
from trading_platform.batch.replay import replay_session
from trading_platform.batch.snapshots import snapshots_of_replay
from trading_platform.calc.session_pass import SessionPass
from trading_platform.inspection.debug import debug_instrument
from trading_platform.inspection.question import Question
from trading_platform.inspection.report import Report
from trading_platform.settings import Settings
from trading_platform.storage.engine_outputs import RedisEngineOutputs
from trading_platform.storage.journal import JournalWriter
from trading_platform.storage.lake import Lake
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform_tests.session_data import SESSION, SHARD, SessionData


@dataclass(frozen=True)
class Place:
    """Settings of the folder, what was recorded into it, and the server that its engine wrote to."""

    settings: Settings
    data: SessionData
    manager: RedisManager

    @property
    def client(self) -> Any:
        return self.manager.connect()

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_dir)

    def ask(self, symbol: str, **question: str) -> Report:
        manager = RedisManager(None, self.settings.valkey_dir)
        return debug_instrument(self.settings, Question(symbol, **question), manager=manager, lake=self.lake)

    @contextmanager
    def lake_with(self, table: str, change: pl.Expr) -> Iterator[None]:
        """Have other values in a table of the lake meanwhile."""
        rows = self.lake.read_sessions(table, [SESSION])
        self.lake.write_session(table, SESSION, rows.with_columns(change))
        try:
            yield
        finally:
            self.lake.write_session(table, SESSION, rows)

    @contextmanager
    def redis_with(self, key: str, *command: Any) -> Iterator[redis.Redis]:
        """Have a key of Redis changed by commands meanwhile."""
        held = self.client.dump(key)
        try:
            if command:
                self.client.execute_command(*command)
            yield self.client
        finally:
            self.client.delete(key)
            self.client.restore(key, 0, held)


def make_place(folder: Path, data: SessionData, *, packed: bool = True) -> Place:
    """Record a session, let the engine work it through, and write what its replay gives into the lake.

    A journal that is not packed is as a writer leaves it that is killed.
    """
    settings = Settings(data_dir=folder, shard=SHARD, redis_url=None)
    written_to = settings.journal_dir if packed else folder / "recording"
    with JournalWriter.open(written_to, SHARD, SESSION) as writer:
        data.write_to(writer)
        if not packed:
            shutil.copytree(written_to, settings.journal_dir)
    manager = RedisManager(None, settings.valkey_dir)
    run_engine(settings, manager)
    result = replay_session(JournalRecords(settings.journal_dir, SHARD, SESSION), SESSION)
    lake = Lake(settings.lake_dir)
    lake.write_session("minute_bars", SESSION, bars_of_replay(result.bars))
    lake.write_session("indicator_snapshots", SESSION, snapshots_of_replay(result.indicators))
    lake.write_session("patterns", SESSION, signals_of_replay(result.signals))
    return Place(settings, data, manager)


def run_engine(settings: Settings, manager: RedisManager, upto: int | None = None) -> None:
    """Write the session's outputs anew, up to a record, as the engine writes them."""
    source = JournalRecords(settings.journal_dir, SHARD, SESSION)
    state = SessionPass(SESSION, source.blob)
    outputs = RedisEngineOutputs(manager.connect(), SHARD, SESSION)
    outputs.reset()
    for _, produced in feed_records(state, source, Limit(number=upto)):
        outputs.write(state, produced)
