"""A data folder as a day leaves it: a recorded journal, Redis behind it, a lake, Dagster's databases, dumps."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl
import redis

from trading_platform.market.clock import IST
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.backup.make import make_backup
from trading_platform.storage.backup.manifest import Manifest
from trading_platform.storage.backup.sources import Sources, sources_of
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire import redis_keys
from trading_platform.wire.lake_tables import TABLES
from trading_platform_tests.session_data import SESSION, SHARD, SessionData, make_session

MOMENT = datetime(2026, 8, 20, 19, 0, 0, tzinfo=IST)
SECRETS = {
    "kite_api_key": "hidden-api-key-1",
    "kite_access_token": "hidden-token-22",
    "redis_url": "redis://me:hidden-pass-3@host/0",
}
POSITION = {"features_digest": "ab", "bars": 0, "indicators": 0, "signals": 0, "last_closed": 0, "state": "running"}
TABLE = "instruments"


@dataclass
class Place:
    """A data folder and its server."""

    settings: IsolatedSettings
    manager: RedisManager

    @property
    def client(self) -> redis.Redis:
        return self.manager.connect()

    @property
    def root(self) -> Path:
        return self.settings.backup_dir

    def sources(self, **changed: object) -> Sources:
        made = sources_of(self.settings, self.manager, None)
        return Sources(**{**{name: getattr(made, name) for name in Sources.__slots__}, **changed})

    def back_up(self, moment: datetime = MOMENT, **options: bool) -> tuple[Path, Manifest]:
        return make_backup(self.sources(), self.root, moment, **options)

    def lake(self) -> Lake:
        return Lake(self.settings.lake_dir)


def make_place(folder: Path, data: SessionData | None = None) -> Place:
    """Fill a data folder; without `data` its journal is a short session that is closed."""
    settings = IsolatedSettings(data_dir=folder / "data", **SECRETS)
    place = Place(settings, RedisManager(None, settings.valkey_dir))
    chosen = data or make_session(3, minutes=4)
    with JournalWriter.open(settings.journal_dir, SHARD, SESSION) as writer:
        chosen.write_to(writer)
    client = place.client
    for number in (1, 2, len(chosen)):
        client.xadd(redis_keys.frames(SHARD, SESSION), {"r": b"\xff\x00frame"}, id=f"{number}-0")
    client.hset(redis_keys.position(SHARD, SESSION), mapping={**POSITION, "record": len(chosen)})
    client.set(redis_keys.baseline_current(SHARD), "ab" * 32)
    write_rows(place.lake(), date(2026, 7, 30), 3)
    settings.dumps_dir.mkdir(mode=0o700)
    (settings.dumps_dir / "instruments_20260730.csv").write_text("token,symbol\n1,ONE\n" * 50)
    write_dagster(settings.data_dir / "dagster")
    return place


def write_rows(lake: Lake, session: date, rows: int) -> None:
    lake.write_session(TABLE, session, table_rows(session, rows))


def table_rows(session: date, rows: int) -> pl.DataFrame:
    """Return rows of nulls but for the session and a token."""
    schema = TABLES[TABLE].schema
    named = {"session": [session] * rows, "token": list(range(rows))}
    return pl.DataFrame(
        [pl.Series(name, named.get(name, [None] * rows), dtype=dtype) for name, dtype in schema.items()]
    )


def write_dagster(home: Path) -> None:
    (home / "history").mkdir(parents=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with closing(sqlite3.connect(home / "history" / "runs.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (id TEXT)")
        database.executemany("INSERT INTO runs VALUES (?)", [(f"run-{number}",) for number in range(100)])
        database.commit()


class LiveWriter(threading.Thread):
    """A feed, an engine's position, a lake writer and Dagster that go on until told to stop."""

    def __init__(self, place: Place, data: SessionData) -> None:
        super().__init__(daemon=True)
        self.place, self._data = place, data
        self.stopped = threading.Event()
        self.handed = 0
        self.begun = threading.Event()

    def run(self) -> None:
        settings = self.place.settings
        manager = RedisManager(None, settings.valkey_dir)
        journal = JournalWriter.open(settings.journal_dir, "live", SESSION, segment_bytes=20_000)
        history = JournalReader(settings.journal_dir, "live", SESSION)
        with Recorder(journal=journal, history=history, store=manager, shard="live", session=SESSION) as recorder:
            recorder.start()
            self._hand(recorder, manager.connect())
        journal.close()
        manager.close()

    def _hand(self, recorder: Recorder, client: redis.Redis) -> None:
        home = self.place.settings.data_dir / "dagster"
        with closing(sqlite3.connect(home / "history" / "runs.db")) as database:
            for item in self._data.items:
                self.handed = item.hand_to(recorder)
                recorder.flush()
                client.hset(redis_keys.position("live", SESSION), mapping={**POSITION, "record": self.handed})
                database.execute("INSERT INTO runs VALUES (?)", (f"live-{self.handed}",))
                database.commit()
                if self.handed > 50:
                    self.begun.set()
                if self.stopped.wait(0.002):
                    return
