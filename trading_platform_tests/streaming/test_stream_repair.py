from pathlib import Path

import pytest
import redis

from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.frame_stream import FrameStream
from trading_platform.streaming.stream_repair import complete_journal, complete_stream
from trading_platform.wire.journal_records import RecordKind, encode_record
from trading_platform_tests.streaming.recordings import (
    SESSION,
    SHARD,
    journal_records,
    open_journal,
    stream_records,
)

WINDOW = 1 << 20


@pytest.fixture
def stream(store: RedisManager) -> FrameStream:
    client = store.connect()
    client.flushall()
    return FrameStream(client, SHARD, SESSION, window_bytes=WINDOW)


def record(number: int, body: bytes = b"body") -> tuple[int, bytes]:
    return number, encode_record(number, number, RecordKind.FRAME, body)


def fill(root: Path, count: int) -> JournalWriter:
    journal = open_journal(root)
    for number in range(1, count + 1):
        journal.append(RecordKind.FRAME, b"body", number)
    journal.flush()
    return journal


def history(root: Path) -> JournalReader:
    return JournalReader(root, SHARD, SESSION)


@pytest.mark.parametrize(("first", "last"), [(1, 9), (3, 9), (5, 9), (1, 5), (2, 3)])
def test_the_journal_takes_over_what_continues_it(tmp_path: Path, stream: FrameStream, first: int, last: int) -> None:
    stream.append([record(number) for number in range(first, last + 1)])
    with fill(tmp_path, 5) as journal:
        done = complete_journal(journal, history(tmp_path), stream)
        assert (done.added, done.contradiction) == (max(0, last - 5), None)
        assert journal_records(tmp_path) == [record(number) for number in range(1, max(5, last) + 1)]


@pytest.mark.parametrize(
    "entries",
    [
        [record(7)],  # a gap behind the journal's end
        [record(6), record(7)],  # no record that both hold tells that they belong together
        [record(4), record(5, b"other"), record(6)],  # it disagrees about what the journal has
        [record(4), record(6)],  # it lacks what the journal has
        [record(5), (6, b"no record")],
        [record(5), (6, record(6)[1] + b"x")],
        [record(5), (6, record(7)[1])],
        [record(5), (6, record(6)[1] + record(7)[1])],
    ],
)
def test_a_stream_that_does_not_continue_the_journal_gives_it_nothing(
    tmp_path: Path, stream: FrameStream, entries: list[tuple[int, bytes]]
) -> None:
    stream.append(entries)
    with fill(tmp_path, 5) as journal:
        done = complete_journal(journal, history(tmp_path), stream)
        assert done.added == 0
        assert done.contradiction
        assert journal.last_number == 5
        rebuilt = complete_stream(history(tmp_path), stream, last=5, window_bytes=WINDOW)
        assert rebuilt.contradiction
        assert stream_records(stream.client) == journal_records(tmp_path)


def test_an_empty_journal_takes_nothing_from_the_stream_of_another(tmp_path: Path, stream: FrameStream) -> None:
    stream.append([record(number) for number in range(1, 10)])
    with fill(tmp_path, 0) as journal:
        done = complete_journal(journal, history(tmp_path), stream)
        assert (done.added, done.last, journal.last_number) == (0, 0, 0)
        assert done.contradiction is not None
        assert "another journal" in done.contradiction
        complete_stream(history(tmp_path), stream, last=0, window_bytes=WINDOW)
        assert stream.extent() is None


def test_what_continues_is_taken_up_to_the_first_that_does_not(tmp_path: Path, stream: FrameStream) -> None:
    stream.append([record(5), record(6), record(8)])
    with fill(tmp_path, 5) as journal:
        done = complete_journal(journal, history(tmp_path), stream)
        assert done.added == 1
        assert done.contradiction is not None
        assert "8-0" in done.contradiction


def foreign_field(client: redis.Redis) -> None:
    client.xadd("{tp:t1}:frames:20260701", {"q": b"x"}, id="1-0")


def sequence(client: redis.Redis) -> None:
    client.xadd("{tp:t1}:frames:20260701", {"r": record(1)[1]}, id="1-1")


def emptied(client: redis.Redis) -> None:
    client.xadd("{tp:t1}:frames:20260701", {"r": record(1)[1]}, id="1-0")
    client.xtrim("{tp:t1}:frames:20260701", maxlen=0, approximate=False)


@pytest.mark.parametrize("spoil", [foreign_field, sequence, emptied])
def test_a_stream_that_others_have_touched_is_made_anew(tmp_path: Path, stream: FrameStream, spoil) -> None:  # type: ignore[no-untyped-def]
    spoil(stream.client)
    with fill(tmp_path, 5):
        done = complete_stream(history(tmp_path), stream, last=5, window_bytes=WINDOW)
        assert (done.added, done.last) == (5, 5)
        assert stream_records(stream.client) == journal_records(tmp_path)


def test_the_stream_is_continued_where_it_ends(tmp_path: Path, stream: FrameStream) -> None:
    stream.append([record(number) for number in range(2, 4)])
    with fill(tmp_path, 5):
        done = complete_stream(history(tmp_path), stream, last=5, window_bytes=WINDOW)
        assert (done.added, done.contradiction) == (2, None)
        assert stream_records(stream.client) == [record(number) for number in range(2, 6)]


def test_a_stream_older_than_the_window_is_filled_with_the_window(tmp_path: Path, stream: FrameStream) -> None:
    stream.append([record(1), record(2)])
    size = len(record(1)[1])
    with fill(tmp_path, 100):
        done = complete_stream(history(tmp_path), stream, last=100, window_bytes=10 * size)
        assert (done.added, done.contradiction) == (10, None)
        assert stream_records(stream.client) == [record(number) for number in range(91, 101)]


def test_a_damaged_window_leaves_the_stream_to_what_comes(tmp_path: Path, stream: FrameStream) -> None:
    with fill(tmp_path, 5) as journal:
        path = journal.folder / "000001.journal"
        raw = bytearray(path.read_bytes())
        raw[64 + 40] ^= 1
        path.write_bytes(raw)
        done = complete_stream(history(tmp_path), stream, last=5, window_bytes=WINDOW)
        assert (done.added, done.last) == (0, 5)
        assert done.contradiction is not None
        assert "000001" in done.contradiction
        assert stream.extent() is None
        journal.close(compress=False)
