"""The snapshot of a feed: what a reader can rely on, and what stays told when the feed is started again."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from trading_platform.cli.feed_clock import HeldClock
from trading_platform.cli.feed_report import FeedReport, PlannedHours
from trading_platform.errors import StoreUnavailable
from trading_platform.kite.key_gate import KeyGate
from trading_platform.market.clock import NS_PER_SECOND, Clock, elapsed_ns
from trading_platform.market.sessions import SessionClass
from trading_platform.ports import SocketStatus
from trading_platform.settings import Settings
from trading_platform.streaming.feed import Feed
from trading_platform.streaming.recorder import Recorder
from trading_platform_tests.streaming.recordings import SESSION, SHARD, Store, open_journal, recorder, wait_until

NOON = 1_782_887_400 * NS_PER_SECOND  # 2026-07-01 12:00 IST


class Desk:
    """A feed that records without Redis, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder / "data", shard=SHARD, redis_url=None)
        self.said: list[str] = []
        self.clock = Clock.starting_at(NOON, 1.0)
        self.gate = KeyGate(SecretStr("secret-key"), lambda: SecretStr("secret-token"), self.said.append)
        self.recorder: Recorder = recorder(open_journal(folder / "journal"), folder / "journal", away())
        self.feed = Feed(self.recorder, report=self.said.append)
        self.report = FeedReport(self.settings, self.gate, self.said.append)

    @property
    def path(self) -> Path:
        return self.settings.feed_dir / f"{SHARD}.json"

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.path.read_bytes())
        return found

    def record(self, state: str = "recording") -> dict[str, Any]:
        status = SocketStatus(0, "connected", 3, 1, 0, 2, 0.1, None)
        self.report.recording(self.feed, self.recorder, [status], clock=self.clock, state=state, refused={9, 7})
        return self.told()

    def lose(self, gaps: int, payloads: int) -> None:
        self.feed.counters.gaps, self.feed.counters.gap_ns = gaps, gaps * NS_PER_SECOND // 2
        self.feed.queue.lost_frames = payloads

    def started_again(self) -> "Desk":
        """Return the same desk with a process of its own, as far as the report can tell."""
        self.feed = Feed(self.recorder, report=self.said.append)
        self.report = FeedReport(self.settings, self.gate, self.said.append)
        return self


def away() -> Store:
    def refuse() -> Any:
        raise StoreUnavailable("away")

    return Store(refuse)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_names_its_clock_its_hours_and_its_token_s_standing_but_no_token(desk: Desk) -> None:
    desk.report.plan(PlannedHours(SESSION, 1, 2, {SessionClass.NSE_CASH: 5, SessionClass.MCX: 1}))
    desk.report.begin(SESSION)
    desk.gate.accepted()
    told = desk.record()
    assert (told["version"], told["pid"], told["shard"], told["session"]) == (2, os.getpid(), SHARD, "2026-07-01")
    assert told["clock"] == {"epoch_ns": NOON, "rate": 1.0, "anchor_ns": desk.clock.anchor_ns, "steady": True}
    assert told["hours"] == {
        "session": "2026-07-01",
        "connect_ns": 1,
        "end_ns": 2,
        "classes": {"NSE_CASH": 5, "MCX": 1},
    }
    assert told["token"]["standing"] == "accepted"
    assert 0 <= desk.clock.now_ns() - told["token"]["accepted_at_ns"] < 5 * NS_PER_SECOND
    assert (told["state"], told["waiting"], told["refused_instruments"]) == ("recording", None, [7, 9])
    assert "secret-" not in desk.path.read_text()
    assert desk.path.stat().st_mode & 0o777 == 0o600


def test_what_a_session_lost_stays_told_when_the_feed_starts_again(desk: Desk) -> None:
    desk.report.begin(SESSION)
    desk.lose(gaps=2, payloads=5)
    desk.record()
    so_far = desk.record()["session_so_far"]  # a second look adds nothing
    assert (so_far["starts"], so_far["gaps"], so_far["gap_seconds"], so_far["lost_payloads"]) == (1, 2, 1.0, 5)
    again = desk.started_again()
    again.report.idle("a moment", again.clock)
    assert again.told()["session_so_far"] == so_far
    again.report.begin(SESSION)
    again.lose(gaps=1, payloads=0)
    so_far = again.record()["session_so_far"]
    assert (so_far["starts"], so_far["gaps"], so_far["gap_seconds"], so_far["lost_payloads"]) == (2, 3, 1.5, 5)


def test_another_session_begins_with_nothing_lost(desk: Desk) -> None:
    desk.report.begin(SESSION)
    desk.lose(gaps=2, payloads=5)
    desk.record()
    again = desk.started_again()
    again.report.begin(SESSION.replace(day=2))
    so_far = again.record()["session_so_far"]
    assert (so_far["session"], so_far["starts"], so_far["gaps"], so_far["lost_payloads"]) == ("2026-07-02", 1, 0, 0)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"session_so_far": {"session": "2026-07-01", "gaps": "many"}}'])
def test_an_older_snapshot_that_says_nothing_useful_is_passed_over(desk: Desk, content: bytes) -> None:
    desk.path.parent.mkdir(parents=True)
    desk.path.write_bytes(content)
    again = desk.started_again()
    again.report.begin(SESSION)
    assert again.record()["session_so_far"]["gaps"] == 0


def test_lost_payloads_are_all_kinds_of_loss(desk: Desk) -> None:
    desk.report.begin(SESSION)
    desk.feed.queue.lost_frames, desk.feed.queue.late, desk.feed.counters.unwritten = 3, 20, 100
    assert desk.record()["session_so_far"]["lost_payloads"] == 123


def test_idle_and_its_end_are_said(desk: Desk) -> None:
    desk.report.stopped()  # nothing was ever said: nothing to correct
    assert not desk.path.exists()
    desk.report.idle("the market is closed", desk.clock)
    told = desk.told()
    assert (told["state"], told["waiting"], told["hours"]) == ("idle", "the market is closed", None)
    assert told["token"] == {"standing": "not tried", "accepted_at_ns": None}
    desk.report.stopped()
    assert desk.told()["state"] == "stopped"


def test_a_session_that_ended_is_not_said_to_be_stopped(desk: Desk) -> None:
    desk.report.begin(SESSION)
    desk.record("closed")
    desk.report.stopped()
    assert desk.told()["state"] == "closed"


def test_a_reconnect_leaves_its_time(desk: Desk) -> None:
    desk.report.begin(SESSION)
    desk.feed.start()
    desk.feed.connected(0, NOON)
    desk.feed.subscribed(0, (1,), NOON)
    desk.feed.disconnected(0, "lost", NOON + 5)
    desk.feed.connected(0, NOON + 7)
    wait_until(lambda: bool(desk.feed.sockets) and desk.feed.sockets[0].reconnects == 1)
    told = desk.record()
    assert told["sockets"][0]["reconnected_ns"] == [NOON + 7]
    assert told["session_so_far"]["reconnects"] == 1
    desk.feed.close(5.0)


def test_a_clock_of_another_kind_is_told_as_it_stands(desk: Desk) -> None:
    before = elapsed_ns()
    desk.report.idle("x", Standstill())  # type: ignore[arg-type]
    told = desk.told()["clock"]
    assert (told["epoch_ns"], told["rate"], told["steady"]) == (NOON, 20.0, False)
    assert before <= told["anchor_ns"] <= elapsed_ns()


def test_a_clock_that_was_held_is_steady_once_it_runs(desk: Desk) -> None:
    answers = [None, desk.clock]
    held = HeldClock(Clock(NOON, 1.0, 0), lambda: answers.pop(0), desk.said.append)
    desk.report.idle("x", held)
    assert desk.told()["clock"]["steady"] is False
    held.now_ns()
    desk.report.idle("x", held)
    assert desk.told()["clock"] == {"epoch_ns": NOON, "rate": 1.0, "anchor_ns": desk.clock.anchor_ns, "steady": True}


class Standstill:
    rate = 20.0

    def now_ns(self) -> int:
        return NOON


def test_a_disk_that_refuses_is_said_once(desk: Desk) -> None:
    desk.settings.data_dir.mkdir()
    desk.settings.feed_dir.write_text("no folder")
    for _ in range(3):
        desk.report.idle("x", desk.clock)
    assert len(desk.said) == 1
