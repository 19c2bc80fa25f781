import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from trading_platform.health.snapshots import Candles, EngineSnapshot, FeedSnapshot, Observed, feed_clock, observe
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.streaming.outstanding import Outstanding
from trading_platform.streaming.reconciler import Reconciler
from trading_platform_tests.cli.test_engine_report import Desk as EngineDesk
from trading_platform_tests.cli.test_feed_report import Desk as FeedDesk
from trading_platform_tests.health.made import engine_values, feed_values
from trading_platform_tests.streaming.recordings import SESSION


def write(path: Path, values: Any) -> Path:
    path.write_bytes(orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS))
    return path


def test_what_the_writers_write_is_read_whole(tmp_path: Path) -> None:
    feed = FeedDesk(tmp_path / "feed")
    feed.report.begin(SESSION)
    source: Any = None  # nothing is asked of it
    candles = Reconciler(
        SESSION, Outstanding(lambda _: ()), source, announce=lambda _: None, clock=feed.clock, report=feed.said.append
    )
    feed.report.recording(
        feed.feed, feed.recorder, [], clock=feed.clock, state="recording", refused=set(), candles=candles.as_values()
    )
    assert observe(feed.path, FeedSnapshot).snapshot is not None
    assert observe(feed.path, FeedSnapshot).snapshot.candles == Candles(  # type: ignore[union-attr]
        outstanding_instruments=0, refused_instruments=0, waiting=None
    )
    feed.record()
    seen = observe(feed.path, FeedSnapshot)
    assert seen.problem is None
    assert seen.snapshot is not None
    assert (seen.snapshot.session, seen.snapshot.recorder is not None, seen.snapshot.queue is not None) == (
        SESSION,
        True,
        True,
    )
    assert set(seen.snapshot.latency_ms) == {"journal", "stream"}
    feed.report.idle("closed", feed.clock)
    assert observe(feed.path, FeedSnapshot).problem is None
    engine = EngineDesk(tmp_path / "engine")
    engine.report.waiting("starting", "a look")
    assert observe(engine.path, EngineSnapshot).problem is None
    running = engine.engine()
    running.step()
    engine.show(running)
    found = observe(engine.path, EngineSnapshot)
    assert found.problem is None
    assert found.snapshot is not None
    assert found.snapshot.position == 50
    assert found.snapshot.progress is not None
    assert set(found.snapshot.latency_ms) == {"decoded", "written"}


def test_nothing_is_not_the_same_as_something_unreadable(tmp_path: Path) -> None:
    assert observe(tmp_path / "k1.json", FeedSnapshot) == Observed()
    (tmp_path / "k1.json").write_bytes(b"{")
    seen = observe(tmp_path / "k1.json", FeedSnapshot)
    assert seen.snapshot is None
    assert "no JSON object" in (seen.problem or "")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"version": 1}, "version"),
        ({"pid": 0}, "pid"),
        ({"pid": 2**40}, "pid"),
        ({"clock": {"epoch_ns": 1, "rate": 0, "anchor_ns": 1, "steady": True}}, "clock.rate"),
        ({"hours": {"session": "2026-07-31", "connect_ns": 1, "end_ns": 2, "classes": {"MOON": 1}}}, "MOON"),
        ({"queue": {"bytes": -1}}, "queue.bytes"),
        ({"token": {"standing": "lost", "accepted_at_ns": None}}, "token.standing"),
        ({"latency_ms": {"journal": {"count": 1}}}, "latency_ms.journal"),
    ],
)
def test_a_file_that_lies_is_named_and_not_used(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    seen = observe(write(tmp_path / "k1.json", feed_values(**changed)), FeedSnapshot)
    assert seen.snapshot is None
    assert "is not what this version writes" in (seen.problem or "")
    assert named in (seen.problem or "")


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    assert observe(write(tmp_path / "k1.json", engine_values(more=[1])), EngineSnapshot).problem is None


@pytest.mark.parametrize(
    ("machine", "wall", "age"),
    [
        (3, 3, 3.0),
        (2, 3600, 3600.0),  # the machine was started anew, and its monotonic clock with it
        (3600, -50, 3600.0),  # the wall clock was set back
        (-500, -500, 0.0),
    ],
)
def test_the_age_is_the_older_of_two_clocks(tmp_path: Path, machine: float, wall: float, age: float) -> None:
    written = {
        "monotonic_ns": max(0, elapsed_ns() - int(machine * NS_PER_SECOND)),
        "wall_ns": Clock.wall().now_ns() - int(wall * NS_PER_SECOND),
    }
    seen = observe(write(tmp_path / "k1.json", feed_values(written=written)), FeedSnapshot)
    assert seen.problem is None
    assert seen.age_seconds == pytest.approx(age, abs=1.0)


def test_a_process_is_alive_until_it_is_gone(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = write(tmp_path / "k1.json", feed_values(pid=process.pid))
    assert observe(path, FeedSnapshot).alive
    process.kill()
    process.communicate()
    assert not observe(path, FeedSnapshot).alive
    assert observe(write(path, feed_values(pid=os.getpid())), FeedSnapshot).alive


def test_the_clock_of_a_feed_is_read_unless_the_machine_started_since() -> None:
    good = FeedSnapshot.model_validate(feed_values())
    assert feed_clock(good) == Clock(good.clock.epoch_ns, 1.0, good.clock.anchor_ns)
    ahead = {"epoch_ns": 1, "rate": 1.0, "anchor_ns": elapsed_ns() + 10**15, "steady": True}
    assert feed_clock(FeedSnapshot.model_validate(feed_values(clock=ahead))) is None
