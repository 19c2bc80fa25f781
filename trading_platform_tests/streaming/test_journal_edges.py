from pathlib import Path

import pytest

from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.journal_edges import JournalTail, journal_tail, opening_records
from trading_platform.wire.journal_records import CONTENT_TYPES, ControlType, RecordKind, encode_control
from trading_platform_tests.streaming.recordings import SESSION, SHARD, open_journal

HASH = "a" * 64


def write(root: Path, *records: tuple[int, int, bytes | ControlType], **options: int) -> JournalReader:
    """Records are (socket, receive time, payload or control)."""
    with open_journal(root, **options) as journal:
        for socket, at_ns, what in records:
            if isinstance(what, ControlType):
                fields = {"sha256": HASH} if what in CONTENT_TYPES else {}
                fields |= {"last_ns": at_ns - 5} if what is ControlType.DISCONNECTED else {}  # type: ignore[dict-item]
                journal.append(RecordKind.CONTROL, encode_control(what, **fields), at_ns, socket=socket)
            else:
                journal.append(RecordKind.FRAME, what, at_ns, socket=socket)
            journal.flush()
    return JournalReader(root, SHARD, SESSION)


def test_the_opening_ends_with_the_first_payload(tmp_path: Path) -> None:
    history = write(
        tmp_path,
        (0, 1, ControlType.SESSION_OPENED),
        (0, 1, ControlType.SETTINGS),
        (0, 2, b"frame"),
        (0, 3, ControlType.SESSION_CLOSED),
    )
    assert opening_records(history) == {ControlType.SESSION_OPENED: None, ControlType.SETTINGS: HASH}


def test_the_tail_knows_each_sockets_last_payload(tmp_path: Path) -> None:
    history = write(
        tmp_path,
        (0, 1, ControlType.CONNECTED),
        (1, 2, ControlType.CONNECTED),
        (2, 2, ControlType.CONNECTED),
        (0, 3, b"a"),
        (1, 4, b"b"),
        (1, 5, ControlType.DISCONNECTED),
        (0, 6, b"c"),
    )
    assert journal_tail(history, ()) == JournalTail(False, 6, {0: 6, 1: 4, 2: 2}, {0, 2}, {1})


def test_a_socket_that_was_gone_already_is_known_by_what_was_said_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JournalReader, "window_start", lambda *_: 2)
    history = write(tmp_path, (1, 1, b"before the window"), (1, 30, ControlType.DISCONNECTED), (0, 31, b"c"))
    assert journal_tail(history, ()) == JournalTail(False, 31, {0: 31, 1: 25}, {0}, {1})


OTHERS = tuple((0, 100 + number, b"x" * 100) for number in range(50))


@pytest.mark.parametrize(
    "returned", [(), ((1, 200, ControlType.CONNECTED), (1, 201, ControlType.SUBSCRIBED), (1, 202, b"\0"))]
)
def test_a_socket_that_was_lost_long_ago_is_looked_for_farther_back(
    tmp_path: Path, returned: tuple[tuple[int, int, bytes | ControlType], ...]
) -> None:
    lost = ((1, 1, b"a"), (1, 30, ControlType.DISCONNECTED), *OTHERS, *returned)
    history = write(tmp_path, *lost, segment_bytes=500)
    assert history.window_start(1000) > 10
    tail = journal_tail(history, range(2), tail_bytes=1000)
    assert tail.last_by_socket == {0: 149, 1: 1}
    assert 1 in tail.away_sockets


def test_a_socket_that_never_was_is_looked_for_no_farther_than_the_beginning(tmp_path: Path) -> None:
    history = write(tmp_path, *OTHERS, segment_bytes=500)
    assert journal_tail(history, range(2), tail_bytes=1000).last_by_socket == {0: 149}


def test_damage_ends_the_search_and_what_is_behind_it_counts(tmp_path: Path) -> None:
    history = write(tmp_path, (1, 1, b"a"), (1, 30, ControlType.DISCONNECTED), *OTHERS, segment_bytes=500)
    second = sorted(history.folder.glob("*.zst"))[1]
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    assert journal_tail(JournalReader(tmp_path, SHARD, SESSION), range(2), tail_bytes=1000).last_by_socket == {0: 149}


def test_a_heartbeat_before_a_gap_has_ended_is_not_the_last_payload(tmp_path: Path) -> None:
    gone = ((0, 1, b"a"), (0, 6, ControlType.DISCONNECTED), (0, 7, ControlType.CONNECTED), (0, 8, b"\0"))
    assert journal_tail(write(tmp_path / "away", *gone), ()).last_by_socket == {0: 1}
    back = (*gone, (0, 9, ControlType.GAP), (0, 9, b"b"), (0, 10, b"\0"))
    assert journal_tail(write(tmp_path / "back", *back), ()).last_by_socket == {0: 10}


def test_candles_of_a_gap_open_nothing_and_end_nothing(tmp_path: Path) -> None:
    history = write(
        tmp_path,
        (0, 1, ControlType.SESSION_OPENED),
        (0, 2, ControlType.CONNECTED),
        (0, 3, b"a"),
        (0, 4, ControlType.CANDLES),
    )
    assert ControlType.CANDLES not in opening_records(history)
    assert journal_tail(history, ()) == JournalTail(False, 4, {0: 3}, {0})


def test_a_closed_session_is_seen(tmp_path: Path) -> None:
    assert journal_tail(write(tmp_path, (0, 1, b"a"), (0, 2, ControlType.SESSION_CLOSED)), ()).closed


def test_an_empty_journal_has_no_edges(tmp_path: Path) -> None:
    history = write(tmp_path)
    assert opening_records(history) == {}
    assert journal_tail(history, ()) == JournalTail()
