from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import FeedError, JournalWriteFailed, StoreUnavailable
from trading_platform.market.clock import pause
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.feed import Feed
from trading_platform.streaming.journal_edges import JournalTail
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType, RecordKind, decode_control
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_packets import TICK
from trading_platform_tests.session_data import TOKENS as DATA_TOKENS
from trading_platform_tests.session_data import make_session
from trading_platform_tests.streaming.recordings import SESSION, SHARD, open_journal, recorder, wait_until

S = 1_000_000_000
OPENING = {
    ControlType.SESSION_OPENED,
    ControlType.SETTINGS,
    ControlType.SESSION_TABLE,
    ControlType.INSTRUMENTS,
}
TOKENS = (256265, 408065)


class Away:
    def connect(self) -> Any:
        raise StoreUnavailable("away")


@dataclass
class Rig:
    root: Path
    feed: Feed
    recorder: Recorder
    journal: JournalWriter
    said: list[str] = field(default_factory=list)

    def records(self) -> list[Any]:
        """Everything recorded: bytes of payloads, (type, fields) of controls; closes the feed first."""
        assert self.feed.close(5.0)
        self.journal.sync()
        reader, found, after = JournalReader(self.root, SHARD, SESSION), [], 0
        while len(batch := reader.read(after, 1 << 20)):
            for row in range(len(batch)):
                body = batch.body(row)
                if batch.table["kind"][row] == RecordKind.CONTROL:
                    control = decode_control(body)
                    found.append((control.type, dict(control.fields)))
                else:
                    found.append(body)
            after = batch.last_number
        return found

    def gaps(self) -> list[dict[str, Any]]:
        return [one[1] for one in self.records() if isinstance(one, tuple) and one[0] is ControlType.GAP]

    def connect(self, at: int, socket: int = 0, tokens: tuple[int, ...] = TOKENS) -> None:
        self.feed.connected(socket, at * S)
        self.feed.subscribed(socket, tokens, at * S)


def rig(root: Path, store: Any, **options: Any) -> Iterator[Rig]:
    said: list[str] = []
    journal = open_journal(root)
    with recorder(journal, root, store) as running:
        feed = Feed(running, report=said.append, **options)
        feed.start()
        yield Rig(root, feed, running, journal, said)
        feed.close(1.0)
    journal.close()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    yield from rig(tmp_path, Away())


def test_every_payload_is_recorded_as_it_came(made: Rig) -> None:
    made.connect(100)
    for at, payload in ((101, b"\x00"), (102, b"frame"), (103, b""), (104, b"\x00\x01")):
        made.feed.payload(0, payload, at * S)
    made.feed.text(0, b"\xff no utf8", 105 * S)
    records = made.records()
    assert [one if isinstance(one, bytes) else one[0] for one in records] == [
        ControlType.CONNECTED,
        ControlType.SUBSCRIBED,
        b"\x00",
        b"frame",
        b"",
        b"\x00\x01",
        b"\xff no utf8",
    ]
    assert records[1][1]["count"] == 2
    track = made.feed.sockets[0]
    assert (track.frames, track.heartbeats, track.texts) == (2, 2, 1)


def test_a_gap_reaches_from_the_last_record_to_the_first_after_resubscribing(made: Rig) -> None:
    made.connect(100)
    made.feed.payload(0, b"one", 101 * S)
    made.feed.disconnected(0, "silent", 104 * S)
    made.connect(106)
    made.feed.payload(0, b"two", 107 * S)
    records = made.records()
    assert records[3] == (ControlType.DISCONNECTED, {"reason": "silent", "last_ns": 101 * S})
    gap = {"from_ns": 101 * S, "until_ns": 107 * S, "tokens": list(TOKENS), "reason": "silent"}
    assert records[-2:] == [(ControlType.GAP, gap), b"two"]
    assert made.feed.counters.gaps == 1
    assert made.feed.sockets[0].reconnects == 1


def test_only_the_socket_that_was_away_has_a_gap(made: Rig) -> None:
    made.connect(100)
    made.connect(100, socket=1, tokens=(7,))
    made.feed.payload(1, b"x", 101 * S)
    made.feed.payload(0, b"y", 101 * S)
    made.feed.disconnected(1, "lost", 102 * S)
    made.feed.payload(0, b"y", 103 * S)
    made.connect(104, socket=1, tokens=(7,))
    made.feed.payload(0, b"y", 105 * S)
    made.feed.payload(1, b"x", 106 * S)
    assert [(gap["from_ns"], gap["until_ns"], gap["tokens"]) for gap in made.gaps()] == [(101 * S, 106 * S, [7])]


def test_a_heartbeat_that_was_under_way_does_not_end_a_gap(made: Rig) -> None:
    made.connect(100)
    made.feed.payload(0, b"one", 101 * S)
    made.feed.disconnected(0, "lost", 102 * S)
    made.connect(103)
    made.feed.payload(0, b"\x00", 103 * S + 1)
    made.feed.payload(0, b"\x00", 104 * S)
    assert [(gap["from_ns"], gap["until_ns"]) for gap in made.gaps()] == [(101 * S, 104 * S)]


def test_two_interruptions_without_data_between_are_one_gap(made: Rig) -> None:
    made.connect(100)
    made.feed.payload(0, b"one", 101 * S)
    for at in (102, 105):
        made.feed.disconnected(0, "lost", at * S)
        made.connect(at + 1)
        made.feed.payload(0, b"\x00", (at + 1) * S)  # was under way
    made.feed.payload(0, b"two", 107 * S)
    assert [(gap["from_ns"], gap["until_ns"]) for gap in made.gaps()] == [(101 * S, 107 * S)]


def test_a_second_disconnection_says_since_when_something_is_missing(made: Rig) -> None:
    made.connect(100)
    made.feed.payload(0, b"one", 101 * S)
    made.feed.disconnected(0, "lost", 103 * S)
    made.connect(104)
    made.feed.payload(0, b"\0", 104 * S)
    made.feed.disconnected(0, "lost", 105 * S)
    gone = [one[1]["last_ns"] for one in made.records() if one[0] is ControlType.DISCONNECTED]
    assert gone == [101 * S, 101 * S]


def test_a_feed_that_was_not_running_begins_with_a_gap(tmp_path: Path) -> None:
    for made in rig(tmp_path, Away(), tail=JournalTail(last_ns=90 * S, last_by_socket={0: 90 * S})):
        made.connect(100)
        made.feed.payload(0, b"one", 101 * S)
        assert [(gap["from_ns"], gap["until_ns"]) for gap in made.gaps()] == [(90 * S, 101 * S)]


def test_a_gap_is_told_to_who_fetches_candles_as_it_is_recorded(tmp_path: Path) -> None:
    told: list[Any] = []
    for made in rig(tmp_path, Away(), on_gap=lambda *gap: told.append(gap)):
        made.connect(100)
        made.feed.payload(0, b"one", 101 * S)
        made.feed.disconnected(0, "lost", 102 * S)
        made.connect(103)
        made.feed.payload(0, b"two", 105 * S)
        made.records()
    assert told == [(TOKENS, 101 * S, 105 * S)]


def test_the_end_of_a_session_ends_the_gaps_of_sockets_that_are_away(tmp_path: Path) -> None:
    """Socket 0 is up, 1 was lost, 2 was open when the feed died and is known by the plan only."""
    tail = JournalTail(last_ns=90 * S, last_by_socket={2: 90 * S})
    for made in rig(tmp_path, Away(), tail=tail, planned={2: (7, 8)}):
        for socket in (0, 1):
            made.connect(100, socket=socket, tokens=(socket + 1,))
            made.feed.payload(socket, b"x", 101 * S)
        made.feed.disconnected(1, "lost", 104 * S)
        made.feed.session_over(200 * S)
        made.feed.disconnected(0, "stopped", 201 * S)
        gaps = {tuple(gap["tokens"]): (gap["from_ns"], gap["until_ns"]) for gap in made.gaps()}
        assert gaps == {(2,): (101 * S, 200 * S), (7, 8): (90 * S, 200 * S)}
        assert made.feed.counters.gaps == 2


def test_a_first_connection_is_no_gap(made: Rig) -> None:
    made.connect(100)
    made.feed.payload(0, b"one", 101 * S)
    assert made.gaps() == []


def test_a_first_subscription_that_comes_late_ends_a_gap_since_the_open(tmp_path: Path) -> None:
    late = {TOKENS: 50 * S}
    for made in rig(tmp_path, Away(), missed_since=lambda tokens, _: late.get(tokens)):
        made.connect(100)
        made.connect(100, socket=1, tokens=(7,))
        for socket in (0, 1):
            made.feed.payload(socket, b"one", 101 * S)
        made.feed.disconnected(0, "lost", 102 * S)
        made.connect(103)
        made.feed.payload(0, b"two", 104 * S)
        gaps = [(gap["from_ns"], gap["until_ns"], tuple(gap["tokens"])) for gap in made.gaps()]
        assert gaps == [(50 * S, 101 * S, TOKENS), (101 * S, 104 * S, TOKENS)]
        assert made.feed.sockets[0].reconnects == 1


def test_what_is_subscribed_again_names_the_time_in_which_it_was_not(made: Rig) -> None:
    made.connect(100, tokens=(1, 2, 3))
    made.feed.subscribed(0, (1,), 110 * S)
    made.feed.subscribed(0, (1,), 115 * S)
    made.feed.subscribed(1, (2,), 120 * S)  # it may be another socket
    made.feed.subscribed(0, (1, 3), 130 * S)
    records = made.records()
    reason = "were not subscribed meanwhile"
    assert [one[1] for one in records if one[0] is ControlType.GAP] == [
        {"from_ns": 110 * S, "until_ns": 120 * S, "tokens": [2], "reason": reason},
        {"from_ns": 110 * S, "until_ns": 130 * S, "tokens": [3], "reason": reason},
    ]
    assert made.feed.counters.gaps == 0  # nothing was lost that was wanted


def test_what_was_left_out_since_the_start_is_named_when_it_is_subscribed(tmp_path: Path) -> None:
    tail = JournalTail(last_ns=90 * S)
    for made in rig(tmp_path, Away(), tail=tail, left_out=(7,)):
        made.connect(100)
        made.feed.subscribed(0, (*TOKENS, 7), 110 * S)
        assert [(gap["from_ns"], gap["until_ns"], gap["tokens"]) for gap in made.gaps()] == [(90 * S, 110 * S, [7])]


def test_a_gap_of_what_was_not_subscribed_survives_a_journal_that_refuses_it(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.connect(100, tokens=(1, 2))
    made.feed.subscribed(0, (1,), 110 * S)
    wait_until(lambda: made.recorder.last_number == 3)
    refusals, write = iter([True]), made.recorder.control

    def refuse_once(control: ControlType, /, **fields: Any) -> int:
        if control is ControlType.GAP and next(refusals, False):
            raise JournalWriteFailed("full")
        return write(control, **fields)

    monkeypatch.setattr(made.recorder, "control", refuse_once)
    made.feed.subscribed(0, (1, 2), 120 * S)
    assert [(gap["from_ns"], gap["until_ns"], gap["tokens"]) for gap in made.gaps()] == [(110 * S, 120 * S, [2])]


def test_a_stalled_disk_costs_one_named_run_and_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for made in rig(tmp_path, Away(), queue_bytes=100_000):
        stalled = [True]
        write = JournalWriter.flush

        def slow(journal: JournalWriter, write: Any = write, stalled: list[bool] = stalled) -> None:
            while stalled[0]:
                pause(0.01)
            write(journal)

        made.connect(100)
        monkeypatch.setattr(JournalWriter, "flush", slow)
        for number in range(5000):
            made.feed.payload(0, orjson.dumps(number), (101 + number) * S)
        assert made.feed.queue.peak_bytes <= 100_000
        stalled[0] = False
        wait_until(lambda: made.feed.queue.held_bytes == 0)  # noqa: B023
        made.feed.payload(0, b"5000", 6000 * S)
        records = made.records()
        numbers = [int(one) for one in records if isinstance(one, bytes)]
        holes = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
        assert len(holes) == 1
        gaps = [one[1] for one in records if isinstance(one, tuple) and one[0] is ControlType.GAP]
        assert [(gap["from_ns"], gap["until_ns"]) for gap in gaps] == [((101 + holes[0][0]) * S, 6000 * S)]
        lost = holes[0][1] - holes[0][0] - 1
        assert made.feed.queue.lost_frames == lost
        assert f"{lost} payloads" in gaps[0]["reason"]


def test_a_disk_that_refuses_for_a_while_costs_nothing(made: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [5]
    write = JournalWriter.flush

    def refuse(journal: JournalWriter) -> None:
        refusals[0] -= 1
        if refusals[0] >= 0:
            raise JournalWriteFailed("disk full; free space")
        write(journal)

    made.connect(100)
    monkeypatch.setattr(JournalWriter, "flush", refuse)
    for number in range(100):
        made.feed.payload(0, b"%d" % number, (101 + number) * S)
    wait_until(lambda: refusals[0] < 0)
    payloads = [one for one in made.records() if isinstance(one, bytes)]
    assert payloads == [b"%d" % number for number in range(100)]
    assert made.feed.counters.write_failures >= 2
    assert [text for text in made.said if "disk full" in text] == made.said


def test_a_disk_that_refuses_to_the_end_is_counted_and_does_not_hold_us_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(journal: JournalWriter) -> None:
        raise JournalWriteFailed("disk full; free space")

    for made in rig(tmp_path, Away()):
        with monkeypatch.context() as patch:
            patch.setattr(JournalWriter, "flush", refuse)
            made.connect(100)
            pause(0.1)
            assert made.feed.close(0.2) is False
            assert made.feed.counters.unwritten > 0


def test_latencies_and_the_stream(tmp_path: Path, store: RedisManager) -> None:
    store.connect().flushall()
    for made in rig(tmp_path, store):
        made.connect(100)
        for number in range(200):
            made.feed.payload(0, b"x" * 200, (101 + number) * S)
        made.records()
        journal, stream = made.feed.to_journal.summary(), made.feed.to_stream.summary()
        assert journal["count"] == stream["count"] == 200
        assert 0 < journal["p50"] <= stream["p50"]  # type: ignore[operator]


def test_what_kite_says_is_told_and_postbacks_are_not(made: Rig) -> None:
    made.feed.text(0, b'{"type":"error","data":"too many tokens"}', S)
    made.feed.text(0, b'{"type":"order","data":{"account":"AB1234"}}', S)
    made.feed.text(0, b"not json", S)
    made.feed.text(0, b"[1]", S)
    made.records()
    assert made.feed.counters.errors_told == {"error": 1, "order": 1, "unknown": 2}
    assert made.said == ["socket 0: Kite says 'too many tokens'"]


def test_a_text_that_is_nested_without_end_is_a_record_like_any_other(made: Rig) -> None:
    nested = b'{"type":"error","data":' + b"[" * 1000 + b"]" * 1000 + b"}"
    made.feed.text(0, nested, S)
    assert made.records() == [nested]
    assert made.feed.counters.errors_told == {"error": 1}
    assert [len(one) < 300 for one in made.said] == [True]


def test_a_recording_thread_that_died_is_noticed(made: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    made.feed.require_alive()
    monkeypatch.setattr(made.recorder, "frame", lambda *_, **__: 1 // 0)
    made.feed.payload(0, b"x", S)
    wait_until(lambda: not made.feed._thread.is_alive())
    with pytest.raises(FeedError, match="ended by itself"):
        made.feed.require_alive()


def test_a_silence_that_is_found_in_the_next_minute_flags_the_bar_that_it_began_in(tmp_path: Path) -> None:
    """Socket 0 falls silent before a minute ends, it is noticed behind that; then socket 1 closes the minute."""
    session = make_session(3, minutes=2, session=SESSION, closed=False)
    opening = [item for item in session.items if item.control in OPENING]
    opens = opening[0].received_ns + 20 * S
    ends = opens + 60 * S
    for made in rig(tmp_path, Away()):
        for item in opening:
            item.hand_to(made.recorder)
        near, far = DATA_TOKENS[:1], DATA_TOKENS[1:2]
        for socket, tokens in enumerate((near, far)):
            made.feed.connected(socket, opening[0].received_ns)
            made.feed.subscribed(socket, tokens, opening[0].received_ns)
        for second in range(58):
            made.feed.payload(0, full_frame(near[0], (opens + second * S) // S), opens + second * S)
        # noticed 3.5 s after its last payload, when the other socket's time has passed the end of the minute
        for second in range(61):
            made.feed.payload(1, full_frame(far[0], (opens + second * S) // S), opens + second * S + S // 2)
        made.feed.disconnected(0, "silent", ends + 3 * S // 2)
        made.feed.payload(1, full_frame(far[0], (ends + 4 * S) // S), ends + 4 * S)
        made.records()
        reader = JournalReader(tmp_path, SHARD, SESSION)
        state = SessionPass(SESSION, reader.blob)
        bars = state.feed(reader.read(0, 1 << 24)).bars
        flags = {int(bar["token"]): int(bar["flags"]) for bar in bars if int(bar["start"]) == opens // S}
        assert flags[near[0]] & BarFlag.GAP
        assert not flags[far[0]] & BarFlag.GAP


def full_frame(token: int, second: int) -> bytes:
    ticks = np.zeros(1, TICK)
    ticks["token"], ticks["segment"], ticks["mode"] = token, token & 0xFF, 3
    ticks["last_price"], ticks["exchange_time"], ticks["volume"] = 100.0, second, second % 1000
    return encode_frame(ticks)
