"""The snapshot of an engine, written while a real one works on a session in memory."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from trading_platform.cli.engine_report import EngineReport
from trading_platform.market.clock import Clock, elapsed_ns
from trading_platform.settings import Settings
from trading_platform.streaming.engine import Engine
from trading_platform_tests.streaming.test_engine import BATCH, DATA, Bench


class Desk:
    """An engine, its report, and what the report wrote."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, shard="k1", redis_url=None)
        self.bench = Bench(folder / "state")
        self.said: list[str] = []
        self.report = EngineReport(self.settings, self.said.append)

    @property
    def path(self) -> Path:
        return self.settings.engine_dir / "k1.json"

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.path.read_bytes())
        return found

    def engine(self) -> Engine:
        started = self.bench.start(latency=self.report.latency)
        assert started is not None
        return started

    def show(self, engine: Engine) -> dict[str, Any]:
        """Show the engine as if a second had passed."""
        self.report._due_ns = 0
        self.report.running(engine, "running")
        return self.told()

    def record_with(self, clock: Clock, session: str = DATA.session.isoformat(), *, steady: bool = True) -> None:
        self.settings.feed_dir.mkdir(parents=True, exist_ok=True)
        values = {"session": session, "clock": {**dataclasses.asdict(clock), "steady": steady}}
        (self.settings.feed_dir / "k1.json").write_bytes(orjson.dumps(values))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_says_who_where_and_how_late(desk: Desk) -> None:
    engine = desk.engine()
    engine.step()
    desk.report.started()
    told = desk.show(engine)
    assert (told["version"], told["shard"], told["pid"], told["starts"]) == (1, "k1", os.getpid(), 1)
    assert (told["state"], told["waiting"], told["position"], told["session"]) == ("running", None, BATCH, "2016-08-17")
    assert told["progress"]["batches"] == 1
    assert told["lag_ms"] is None  # nobody says by which clock the records were received
    assert set(told["latency_ms"]) == {"decoded", "written"}
    assert desk.path.stat().st_mode & 0o777 == 0o600
    assert desk.settings.engine_dir.stat().st_mode & 0o777 == 0o700


def test_it_is_written_once_a_second_however_often_it_is_asked(desk: Desk) -> None:
    engine = desk.engine()
    first = desk.show(engine)
    for _ in range(50):
        desk.report.running(engine, "running")
        desk.report.waiting("idle")
    assert desk.told() == first


def test_latency_follows_the_clock_of_the_feed_of_this_session(desk: Desk) -> None:
    engine = desk.engine()
    engine.step()
    last_ns = int(DATA.batch.table["received_ns"][BATCH - 1])
    desk.record_with(Clock(last_ns, 20.0, elapsed_ns() - 250_000_000))
    assert 250.0 <= desk.show(engine)["lag_ms"] < 10_000.0
    assert desk.report.latency.clock is not None
    # by a clock that stands still between messages nothing can be measured, only told about
    desk.record_with(Clock(last_ns, 20.0, elapsed_ns() - 250_000_000), steady=False)
    assert 250.0 <= desk.show(engine)["lag_ms"] < 10_000.0
    assert desk.report.latency.clock is None
    desk.record_with(Clock(last_ns, 20.0, elapsed_ns()), session="2016-08-16")
    assert desk.show(engine)["lag_ms"] is None


def test_what_is_waited_for_is_said_at_once_beside_where_it_stood(desk: Desk) -> None:
    desk.report.waiting("starting", "a first look")
    assert (desk.told()["state"], desk.told()["waiting"]) == ("starting", "a first look")
    engine = desk.engine()
    engine.step()
    desk.show(engine)
    desk.report.waiting("waiting", "Redis is away")
    assert (desk.told()["waiting"], desk.told()["position"]) == ("Redis is away", BATCH)
    engine.step()
    desk.report.ended(engine)
    assert (desk.told()["state"], desk.told()["position"]) == ("stopped", 2 * BATCH)


def test_a_disk_that_refuses_is_said_once_and_stops_nothing(desk: Desk) -> None:
    desk.settings.engine_dir.write_text("no folder")
    engine = desk.engine()
    for _ in range(3):
        desk.report._due_ns = 0
        desk.report.running(engine, "running")
    assert len(desk.said) == 1
    assert "k1.json" in desk.said[0]
