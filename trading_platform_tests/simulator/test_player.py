import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.ports import SessionContents
from trading_platform.simulator import player
from trading_platform.simulator.player import Play, play_session
from trading_platform.wire.journal_records import ControlType
from trading_platform_tests.simulator.made_bars import INDEX, START, STOCK, MadeBar, columns, made_session
from trading_platform_tests.simulator.rebuilding import NaiveBar, naive_ticks, rebuild

SESSION = date(2016, 8, 16)
CONTENTS = SessionContents(b"settings", b"hours", b"instruments", None, None)


@dataclass
class ListSink:
    """Keeps what it is given: (received_ns, control type or payload, fields)."""

    records: list[tuple[int, Any, dict[str, Any]]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    flushed: int = 0

    def frame(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:
        self.records.append((received_ns, payload, {"socket": socket}))
        return len(self.records)

    def control(
        self, control: ControlType, /, *, received_ns: int, content: bytes | None = None, socket: int = 0, **fields: Any
    ) -> int:
        if content is not None:
            fields["sha256"] = hashlib.sha256(content).hexdigest()
            self.blobs[fields["sha256"]] = content
        assert socket == 0
        self.records.append((received_ns, control, fields))
        return len(self.records)

    def flush(self) -> None:
        self.flushed = len(self.records)

    def controls(self) -> list[ControlType]:
        return [what for _, what, _ in self.records if isinstance(what, ControlType)]

    def payloads(self) -> list[bytes]:
        return [what for _, what, _ in self.records if isinstance(what, bytes)]


def play_of(bars: list[MadeBar], contents: SessionContents = CONTENTS) -> Play:
    return Play(SESSION, "k1", "1.2.3", START, contents, columns(bars), "file")


ONE_BAR = [MadeBar(STOCK, 0, (100, 110, 95, 105), 7)]


def test_a_session_begins_and_ends_with_its_records_in_order() -> None:
    sink = ListSink()
    play_session(play_of([*ONE_BAR, MadeBar(INDEX, 0, (5, 5, 5, 5), 0)]), sink)
    opening = [
        ControlType.SESSION_OPENED,
        ControlType.SETTINGS,
        ControlType.SESSION_TABLE,
        ControlType.INSTRUMENTS,
        ControlType.CONNECTED,
        ControlType.SUBSCRIBED,
    ]
    assert sink.controls() == [*opening, ControlType.DISCONNECTED, ControlType.SESSION_CLOSED]
    assert [what for _, what, _ in sink.records[:6]] == opening
    assert {received for received, _, _ in sink.records[:6]} == {(START - 60) * NS_PER_SECOND}
    opened = {"session": "2016-08-16", "shard": "k1", "platform_version": "1.2.3", "source": "file"}
    assert sink.records[0][2] == opened
    subscribed = sink.records[5][2]
    assert (subscribed["mode"], subscribed["count"]) == ("full", 2)
    assert json.loads(sink.blobs[subscribed["sha256"]]) == [STOCK, INDEX]
    assert sink.records[-2][2] == {"reason": "end of play"}
    assert [received for received, _, _ in sink.records] == sorted(received for received, _, _ in sink.records)
    assert sink.flushed == len(sink.records)


def test_seeds_and_baseline_are_announced_between_instruments_and_connection() -> None:
    sink = ListSink()
    play_session(play_of(ONE_BAR, replace(CONTENTS, seeds=b"seeds", baseline=b"baseline")), sink)
    assert sink.controls()[3:7] == [
        ControlType.INSTRUMENTS,
        ControlType.SEEDS,
        ControlType.BASELINE,
        ControlType.CONNECTED,
    ]
    assert {b"settings", b"hours", b"instruments", b"seeds", b"baseline"} <= set(sink.blobs.values())


def test_heartbeats_flow_before_the_first_and_after_the_last_bar() -> None:
    sink = ListSink()
    summary = play_session(play_of(ONE_BAR), sink)
    payloads = sink.payloads()
    assert payloads[:60] == [b"\x00"] * 60
    assert payloads[-8:] == [b"\x00"] * 8
    last = [received for received, what, _ in sink.records if isinstance(what, bytes)][-1]
    # the watermark is five seconds behind what was received last
    assert last / NS_PER_SECOND - 5 >= START + 60
    assert (summary.bars, summary.ticks, summary.frames, summary.instruments) == (1, 4, 4, 1)
    assert summary.heartbeats == 60 + 60 + 8 - 4
    assert summary.records == len(sink.records)
    assert summary.payload_bytes == sum(map(len, payloads))


@settings(max_examples=20, deadline=None)
@given(made_session())
def test_what_was_played_rebuilds_what_was_given(bars: list[MadeBar]) -> None:
    sink = ListSink()
    play_session(play_of(bars), sink)
    expected = {bar.key: NaiveBar(*(word / 100 for word in bar.words), bar.volume) for bar in bars}
    assert rebuild(tick for payload in sink.payloads() for tick in naive_ticks(payload)) == expected


def test_the_socket_is_there_before_an_early_bar() -> None:
    sink = ListSink()
    early = replace(play_of(ONE_BAR), opens=START + 900)
    play_session(early, sink)
    assert sink.records[0][0] == (START - 60) * NS_PER_SECOND


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_speed_paces_the_records_on_the_simulated_clock(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    sink = ListSink()
    slept: list[float] = []
    real = {"now": 0.0}

    class TestClock:
        @classmethod
        def starting_at(cls, epoch_ns: int, rate: float) -> "TestClock":
            assert rate == speed
            cls.epoch_ns = epoch_ns
            return cls()

        def real_seconds_until(self, target_ns: int) -> float:
            return max(0.0, (target_ns - self.epoch_ns) / NS_PER_SECOND / speed - real["now"])

    def pause(seconds: float) -> None:
        # everything that is due was visible before the wait
        assert sink.flushed == len(sink.records)
        slept.append(seconds)
        real["now"] += seconds

    monkeypatch.setattr(player, "Clock", TestClock)
    monkeypatch.setattr(player, "pause", pause)
    play_session(play_of(ONE_BAR), sink, speed=speed)
    span = (sink.records[-1][0] - sink.records[0][0]) / NS_PER_SECOND
    assert sum(slept) == pytest.approx(span / speed)
    assert len(slept) == 60 + 60 + 8 + 1


def test_progress_hears_of_every_minute() -> None:
    heard: list[tuple[int, int]] = []
    play_session(
        play_of([*ONE_BAR, MadeBar(STOCK, 3, (5, 5, 5, 5), 0)]), ListSink(), progress=lambda *a: heard.append(a)
    )
    assert heard == [(60, 308), (120, 308), (180, 308), (240, 308), (300, 308)]


def test_many_records_are_flushed_on_the_way() -> None:
    class Watching(ListSink):
        behind = 0

        def frame(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:
            self.behind = max(self.behind, len(self.records) - self.flushed)
            return super().frame(payload, received_ns, socket=socket)

    sink = Watching()
    play_session(play_of([*ONE_BAR, MadeBar(STOCK, 30, (5, 5, 5, 5), 0)]), sink)
    assert 100 < sink.behind <= 512
