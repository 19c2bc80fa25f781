"""Which candles gaps still lack, by hand: half past nine is 9 h 30 m after midnight, intervals have five minutes."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.outstanding import Outstanding
from trading_platform.wire.candle_block import CandleBlock, Window
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control
from trading_platform_tests.streaming.recordings import SESSION, SHARD, open_journal

NS = 1_000_000_000
HOUR = 3600
OPENS, CLOSES = 9 * HOUR + 15 * 60, 15 * HOUR + 30 * 60


def clock(text: str) -> int:
    hour, minute, second = (int(part) for part in text.split(":"))
    return hour * HOUR + minute * 60 + second


def hours(token: int) -> tuple[tuple[int, int], ...]:
    """Tokens below 100 trade by day, above until late; zero never."""
    return ((OPENS, CLOSES if token < 100 else 23 * HOUR),) if token else ()


def gap(outstanding: Outstanding, begin: str, end: str, tokens: Sequence[int] = (1,)) -> None:
    outstanding.add(tokens, clock(begin) * NS, clock(end) * NS)


def asked(outstanding: Outstanding, now: str, elapsed_ns: int = 0) -> list[tuple[int, str, str]]:
    return [
        (token, f"{begin // HOUR}:{begin % HOUR // 60:02}", f"{end // HOUR}:{end % HOUR // 60:02}")
        for token, begin, end in outstanding.next(clock(now) * NS, elapsed_ns)
    ]


def test_whole_intervals_are_asked_for_when_they_have_settled() -> None:
    outstanding = Outstanding(hours)
    gap(outstanding, "10:01:10", "10:02:50")
    assert asked(outstanding, "10:05:19") == []
    assert not outstanding.is_ready(clock("10:05:19") * NS)
    assert asked(outstanding, "10:05:20") == [(1, "10:00", "10:05")]
    assert outstanding.is_ready(clock("10:05:20") * NS)
    outstanding.done([Window(1, clock("10:00:00"), clock("10:05:00"))])
    assert len(outstanding) == outstanding.intervals == 0
    assert asked(outstanding, "10:30:00") == []


def test_intervals_that_follow_each_other_are_asked_for_together_or_not_yet() -> None:
    outstanding = Outstanding(hours)
    gap(outstanding, "10:04:50", "10:05:10")
    gap(outstanding, "10:20:02", "10:20:03")
    assert asked(outstanding, "10:06:00") == []
    assert asked(outstanding, "10:10:20") == [(1, "10:00", "10:10")]
    assert asked(outstanding, "10:25:20") == [(1, "10:00", "10:10"), (1, "10:20", "10:25")]


def test_a_moment_at_an_edge_belongs_to_what_follows_and_an_end_to_what_precedes() -> None:
    outstanding = Outstanding(hours)
    gap(outstanding, "10:05:02", "10:10:00")
    assert asked(outstanding, "11:00:00") == [(1, "10:05", "10:10")]
    # packets come up to two seconds late
    gap(outstanding, "10:05:01", "10:10:00")
    assert asked(outstanding, "11:00:00") == [(1, "10:00", "10:10")]


def test_only_continuous_trading_has_candles() -> None:
    outstanding = Outstanding(hours)
    gap(outstanding, "08:40:00", "09:14:59", (0, 1, 101))
    gap(outstanding, "15:30:02", "16:00:00", (0, 1))
    assert len(outstanding) == 0
    gap(outstanding, "08:40:00", "09:16:00", (0, 1))
    gap(outstanding, "15:29:00", "15:40:00", (1, 101))
    assert asked(outstanding, "20:00:00") == [(1, "9:15", "9:20"), (1, "15:25", "15:30")]
    outstanding.done(outstanding.next(clock("20:00:00") * NS, 0))
    assert asked(outstanding, "20:00:00") == [(101, "15:25", "15:40")]


def test_the_oldest_gap_comes_first_and_inside_it_the_order_of_subscription() -> None:
    outstanding = Outstanding(hours)
    gap(outstanding, "10:00:30", "10:01:00", (7, 3))
    gap(outstanding, "10:00:30", "10:02:00", (5, 3, 9))
    order = []
    while windows := outstanding.next(clock("11:00:00") * NS, 0):
        order.append(windows[0].token)
        outstanding.done(windows)
    assert order == [7, 3, 5, 9]


def test_what_is_put_off_comes_behind_the_others_and_later() -> None:
    outstanding = Outstanding(hours)
    gap(outstanding, "10:00:30", "10:01:00", (7, 3))
    assert outstanding.put_off(7, 0) == 1
    assert asked(outstanding, "11:00:00")[0][0] == 3
    assert outstanding.put_off(7, 100) == 2
    outstanding.done(outstanding.next(clock("11:00:00") * NS, 0))
    assert asked(outstanding, "11:00:00", 99) == []
    assert outstanding.is_ready(clock("11:00:00") * NS)
    assert asked(outstanding, "11:00:00", 100)[0][0] == 7
    assert outstanding.put_off(7, 100) == 3


def test_a_gap_in_an_interval_that_was_fetched_is_asked_for_again() -> None:
    outstanding = Outstanding(hours)
    for begin, end in (("10:01:00", "10:02:00"), ("10:04:58", "10:05:01")):
        gap(outstanding, begin, end)
        assert asked(outstanding, "11:00:00")[0][1] == "10:00"
        outstanding.done(outstanding.next(clock("11:00:00") * NS, 0))


def journal(root: Path, *records: tuple[ControlType, bytes | None, dict[str, Any]]) -> JournalReader:
    with open_journal(root) as writer:
        for control, content, fields in records:
            named = {} if content is None else {"sha256": writer.put_blob(content)}
            writer.append(RecordKind.CONTROL, encode_control(control, **fields, **named), 1)
            writer.append(RecordKind.FRAME, b"frame", 1)
    return JournalReader(root, SHARD, SESSION)


def told(begin: str, end: str, *tokens: int) -> tuple[ControlType, None, dict[str, Any]]:
    return ControlType.GAP, None, {"from_ns": clock(begin) * NS, "until_ns": clock(end) * NS, "tokens": list(tokens)}


def brought(*windows: Window) -> tuple[ControlType, bytes, dict[str, Any]]:
    return ControlType.CANDLES, CandleBlock.of(date(2026, 7, 31), windows, []).encode(), {}


def test_a_journal_says_what_is_open(tmp_path: Path) -> None:
    ten = clock("10:00:00")
    history = journal(
        tmp_path,
        told("10:01:00", "10:02:00", 7, 3),
        told("10:11:00", "10:12:00", 3),
        brought(Window(7, ten, ten + 300), Window(3, ten, ten + 300)),
        told("10:01:00", "10:02:00", 7),
        told("12:00:00", "12:01:00", 5),
    )
    outstanding = Outstanding(hours)
    assert outstanding.recall(history, 9) == []
    assert asked(outstanding, "13:00:00") == [(3, "10:10", "10:15")]
    outstanding.done(outstanding.next(clock("13:00:00") * NS, 0))
    assert asked(outstanding, "13:00:00") == [(7, "10:00", "10:05")]
    outstanding.done(outstanding.next(clock("13:00:00") * NS, 0))
    # the reader gave whole blocks of records: what stands behind the number asked for may be known too
    assert {window[0] for window in asked(outstanding, "13:00:00")} <= {5}


def test_content_that_is_gone_is_named_and_asked_for_again(tmp_path: Path) -> None:
    ten = clock("10:00:00")
    history = journal(tmp_path, told("10:01:00", "10:02:00", 7), brought(Window(7, ten, ten + 300)))
    (blob,) = history.blobs()
    (history.folder / "blobs" / blob).unlink()
    outstanding = Outstanding(hours)
    (fault,) = outstanding.recall(history, 9)
    assert blob in fault
    assert asked(outstanding, "13:00:00") == [(7, "10:00", "10:05")]


def test_gap_records_that_name_no_tokens_or_times_leave_nothing_open(tmp_path: Path) -> None:
    nameless = (ControlType.GAP, None, {"from_ns": clock("10:00:00") * NS, "until_ns": clock("10:01:00") * NS})
    timeless = (ControlType.GAP, None, {"tokens": [7]})
    outstanding = Outstanding(hours)
    assert outstanding.recall(journal(tmp_path, nameless, timeless), 9) == []
    assert len(outstanding) == 0
