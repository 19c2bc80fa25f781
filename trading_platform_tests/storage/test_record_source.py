from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading_platform.errors import JournalDamaged, MissingBlob, StoreUnavailable
from trading_platform.storage import record_source
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.record_source import JournalRecords, LiveRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire import redis_keys
from trading_platform.wire.blocks import content_hash
from trading_platform.wire.journal_records import RecordBatch
from trading_platform_tests.session_data import SHARD, make_session

DATA = make_session(4, minutes=4)
LAST = len(DATA)
FRAMES = redis_keys.frames(SHARD, DATA.session)
SOON = 0.01


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisManager]:
    manager = RedisManager(None, tmp_path_factory.mktemp("valkey"))
    yield manager
    manager.stop_server()


@pytest.fixture
def client(manager: RedisManager) -> Any:
    client = manager.connect()
    client.flushall()
    return client


def journal(root: Path, upto: int | None = None, *, segment_bytes: int = 8_000) -> None:
    with JournalWriter.open(root, SHARD, DATA.session, segment_bytes=segment_bytes) as writer:
        while writer.last_number < (upto or LAST):
            DATA.write_to(writer, min(upto or LAST, writer.last_number + 20))
        writer.close(compress=False)


def stream(client: Any, first: int, last: int, *, without: tuple[int, ...] = ()) -> None:
    for number in range(first, last + 1):
        if number not in without:
            client.xadd(FRAMES, {"r": DATA.batch.encoded(number - 1)}, id=f"{number}-0")


def live(client: Any, root: Path) -> LiveRecords:
    return LiveRecords(client, root, SHARD, DATA.session)


def read_all(source: Any, after: int = 0, *, silences: int = 1) -> list[bytes]:
    """Read until nothing came `silences` times in a row."""
    found: list[bytes] = []
    silent = 0
    while silent < silences:
        batch: RecordBatch = source.read(after, 5_000, SOON)
        silent = 0 if len(batch) else silent + 1
        found += [batch.encoded(row) for row in range(len(batch))]
        after = batch.last_number if len(batch) else after
    return found


def records(first: int, last: int) -> list[bytes]:
    return [DATA.batch.encoded(number - 1) for number in range(first, last + 1)]


def test_the_journal_alone_gives_all_records(tmp_path: Path) -> None:
    journal(tmp_path)
    source = JournalRecords(tmp_path, SHARD, DATA.session)
    assert read_all(source) == records(1, LAST)
    for sha256, content in DATA.contents.items():
        assert source.blob(sha256) == content


def test_before_there_is_a_journal_nothing_comes(client: Any, tmp_path: Path) -> None:
    source = live(client, tmp_path)
    assert read_all(source, silences=3) == []
    stream(client, 1, 30)
    assert read_all(source) == records(1, 30)


def test_the_stream_alone_gives_its_records(client: Any, tmp_path: Path) -> None:
    stream(client, 1, LAST)
    assert read_all(live(client, tmp_path)) == records(1, LAST)
    assert read_all(live(client, tmp_path), 57) == records(58, LAST)


def test_a_reader_behind_the_window_reads_the_journal_and_then_the_stream(client: Any, tmp_path: Path) -> None:
    journal(tmp_path, 150)
    stream(client, 100, 180)
    assert read_all(live(client, tmp_path)) == records(1, 180)
    assert read_all(live(client, tmp_path), 98) == records(99, 180)


def test_a_missing_entry_of_the_stream_is_read_from_the_journal(client: Any, tmp_path: Path) -> None:
    journal(tmp_path, 100)
    stream(client, 1, LAST, without=(40, 41, 77))
    assert read_all(live(client, tmp_path)) == records(1, LAST)


def test_a_missing_entry_that_no_journal_has_is_waited_for(client: Any, tmp_path: Path) -> None:
    stream(client, 1, LAST, without=(40,))
    source = live(client, tmp_path)
    assert read_all(source, silences=3) == records(1, 39)
    journal(tmp_path, 60)
    assert read_all(source, 39) == records(40, LAST)


def test_a_damaged_entry_of_the_stream_is_read_from_the_journal(client: Any, tmp_path: Path) -> None:
    journal(tmp_path)
    stream(client, 1, 30)
    damaged = bytearray(DATA.batch.encoded(30))
    damaged[-1] ^= 1
    client.xadd(FRAMES, {"r": bytes(damaged)}, id="31-0")
    stream(client, 32, 60)
    assert read_all(live(client, tmp_path)) == records(1, LAST)


def test_a_journal_that_goes_on_without_redis_is_followed(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_source, "_QUIET_NS", 100_000_000)
    journal(tmp_path, 50)
    stream(client, 1, 50)
    source = live(client, tmp_path)
    assert read_all(source) == records(1, 50)
    journal(tmp_path)
    assert read_all(source, 50, silences=4) == records(51, LAST)


def test_a_quiet_stream_does_not_make_us_search_the_journal(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_source, "_QUIET_NS", 100_000_000)
    journal(tmp_path, 50)
    stream(client, 1, 50)
    source = live(client, tmp_path)
    asked: list[int] = []
    read = JournalReader.read

    def counted(self: JournalReader, after: int, max_bytes: int) -> RecordBatch:
        asked.append(after)
        return read(self, after, max_bytes)

    monkeypatch.setattr(JournalReader, "read", counted)
    assert read_all(source, silences=6) == records(1, 50)
    assert [after for after in asked if after] == [50]  # from 0 on it is asked which journal it is


def damage(root: Path, number: int) -> None:
    body = DATA.batch.body(number - 1)
    for path in (root / SHARD / f"{DATA.session:%Y%m%d}").glob("*.journal"):
        content = path.read_bytes()
        encoded = DATA.batch.encoded(number - 1)
        if encoded in content:
            path.write_bytes(content.replace(encoded, encoded[: -len(body)] + bytes([body[0] ^ 1]) + body[1:]))
            return
    raise AssertionError("no such record in the journal")


def test_a_damaged_journal_is_an_error_at_the_damage(client: Any, tmp_path: Path) -> None:
    journal(tmp_path, segment_bytes=1_000_000)
    damage(tmp_path, 90)
    source = live(client, tmp_path)
    found: list[bytes] = []
    with pytest.raises(JournalDamaged):
        while True:
            batch = source.read(len(found), 5_000, SOON)
            found += [batch.encoded(row) for row in range(len(batch))]
    assert found == records(1, 89)


def test_where_the_journal_is_damaged_the_stream_helps(client: Any, tmp_path: Path) -> None:
    journal(tmp_path, segment_bytes=1_000_000)
    damage(tmp_path, 90)
    stream(client, 85, LAST)
    assert read_all(live(client, tmp_path)) == records(1, LAST)


def test_content_comes_from_the_journal_or_its_checked_copy(client: Any, tmp_path: Path) -> None:
    source = live(client, tmp_path)
    sha256 = content_hash(b"content")
    with pytest.raises(MissingBlob):
        source.blob(sha256)
    client.set(redis_keys.blob(SHARD, sha256), b"other")
    with pytest.raises(MissingBlob):
        source.blob(sha256)
    client.set(redis_keys.blob(SHARD, sha256), b"content")
    assert source.blob(sha256) == b"content"


def test_a_foreign_key_or_no_server_is_said(client: Any, tmp_path: Path) -> None:
    client.set(FRAMES, "something else")
    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        live(client, tmp_path).read(0, 1000, SOON)
    away = redis.Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0))
    with pytest.raises(StoreUnavailable, match="XREAD"):
        live(away, tmp_path).read(0, 1000, SOON)
