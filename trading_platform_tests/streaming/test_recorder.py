import errno
import os
import random
import signal
import threading
from pathlib import Path

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from trading_platform.errors import JournalWriteFailed, SessionIsClosed, StoreUnavailable
from trading_platform.resp import Line
from trading_platform.storage import journal_writer
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.journal import JournalReader
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming import frame_stream
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire.journal_records import ControlType, RecordKind, decode_control, scan_records
from trading_platform_tests.streaming.recordings import (
    SESSION,
    SHARD,
    Store,
    journal_records,
    open_journal,
    recorder,
    stream_records,
    wait_until,
)


@pytest.fixture
def client(store: RedisManager) -> redis.Redis:
    client = store.connect()
    client.flushall()
    return client


def test_journal_and_stream_hold_the_same_bytes(tmp_path: Path, store: RedisManager, client: redis.Redis) -> None:
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        assert live.frame(b"\0", 5, socket=1) == 1
        assert live.text(b"{}", 6) == 2
        assert live.control(ControlType.SETTINGS, received_ns=7, content=b"abc", note="x") == 3
        assert stream_records(client) == []
        live.flush()
        recorded = journal_records(tmp_path)
        assert stream_records(client) == recorded
        batch = scan_records(b"".join(record for _, record in recorded)).records
        assert batch.table["kind"].tolist() == [RecordKind.FRAME, RecordKind.TEXT, RecordKind.CONTROL]
        assert batch.table["received_ns"].tolist() == [5, 6, 7]
        assert batch.table["socket"].tolist() == [1, 0, 0]
        # sha256 of "abc", from FIPS 180-2
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert decode_control(batch.body(2)).fields == {"note": "x", "sha256": sha256}
        assert client.get(f"{{tp:t1}}:blob:{sha256}") == b"abc"
        assert (journal.folder / "blobs" / sha256).read_bytes() == b"abc"
        counters = live.counters
        assert (counters.records, counters.bytes) == (3, sum(len(record) for _, record in recorded))
        assert (counters.redis_failures, counters.online, live.last_number) == (0, True, 3)


def test_a_content_that_is_kept_for_ever_is_not_given_a_lifetime(
    tmp_path: Path, store: RedisManager, client: redis.Redis
) -> None:
    # sha256 of "abc" and of the empty string, from FIPS 180-2
    kept = "{tp:t1}:blob:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    short = "{tp:t1}:blob:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    client.set(kept, b"abc")
    client.set(short, b"", ex=5)
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        live.control(ControlType.BASELINE, received_ns=7, content=b"abc")
        live.control(ControlType.SEEDS, received_ns=8, content=b"")
        live.flush()
        assert client.ttl(kept) == -1
        assert client.ttl(short) > 3600


def test_receive_times_never_go_back_and_one_step_is_one_record(
    tmp_path: Path, store: RedisManager, client: redis.Redis
) -> None:
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        for received, socket in [(100, 0), (101, 1), (99, 2), (40, 0), (41, 1), (42, 2), (43, 0), (200, 0), (150, 1)]:
            live.frame(b"x", received, socket=socket)
        live.flush()
        batch = scan_records(b"".join(record for _, record in journal_records(tmp_path))).records
        assert batch.table["received_ns"].tolist() == [100, 101, 101, 101, 101, 101, 101, 101, 200, 200]
        kinds = batch.table["kind"].tolist()
        assert kinds.index(RecordKind.CONTROL) == 3
        assert kinds.count(RecordKind.CONTROL) == 1
        step = decode_control(batch.body(3))
        assert (step.type, dict(step.fields)) == (ControlType.CLOCK_STEP, {"from_ns": 100, "to_ns": 40})
        assert live.counters.clock_steps == 1


def test_a_restart_before_the_journals_end_is_a_clock_step(
    tmp_path: Path, store: RedisManager, client: redis.Redis
) -> None:
    for received in (1000, 500, 1500):
        with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
            live.frame(b"x", received)
            assert live.counters.clock_steps == (received == 500)


def test_sockets_may_record_at_once(tmp_path: Path, store: RedisManager, client: redis.Redis) -> None:
    with open_journal(tmp_path, segment_bytes=20_000) as journal, recorder(journal, tmp_path, store) as live:

        def record(socket: int) -> None:
            for number in range(500):
                live.frame(bytes([socket, number % 256]), number, socket=socket)
                if number % 50 == 0:
                    live.flush()

        threads = [threading.Thread(target=record, args=(socket,)) for socket in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        live.flush()
        recorded = journal_records(tmp_path)
        assert len(recorded) == 1500
        assert stream_records(client) == recorded
        assert live.counters.clock_steps == 0


def test_a_torn_journal_is_completed_from_the_stream(tmp_path: Path, store: RedisManager, client: redis.Redis) -> None:
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        for number in range(10):
            live.frame(b"frame", number)
        live.flush()
        recorded = journal_records(tmp_path)
        journal.close(compress=False)
    path = journal.folder / "000001.journal"
    path.write_bytes(path.read_bytes()[:-50])
    with open_journal(tmp_path) as journal:
        assert journal.last_number == 8
        with recorder(journal, tmp_path, store) as live:
            assert (live.counters.journal_repaired, live.last_number) == (2, 10)
            assert journal_records(tmp_path) == stream_records(client) == recorded
            assert live.frame(b"goes on", 11) == 11


@pytest.mark.parametrize("present", [(0, 0), (0, 4), (2, 9), (0, 12)])
def test_the_stream_is_completed_from_the_journal_at_the_start(
    tmp_path: Path, store: RedisManager, client: redis.Redis, present: tuple[int, int]
) -> None:
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        for number in range(12):
            live.frame(b"frame", number)
        live.control(ControlType.SEEDS, received_ns=13, content=b"seeds")
    entries = stream_records(client)
    client.flushall()
    for number, record in entries[slice(*present)]:
        client.xadd("{tp:t1}:frames:20260701", {"r": record}, id=f"{number}-0")
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        assert stream_records(client) == entries[present[0] if present[1] else 0 :]
        assert live.counters.stream_repaired == 13 - present[1]
        assert len(client.keys("{tp:t1}:blob:*")) == 1


def test_a_stream_that_contradicts_the_journal_is_made_anew(
    tmp_path: Path, store: RedisManager, client: redis.Redis
) -> None:
    client.xadd("{tp:t1}:frames:20260701", {"r": b"of another journal"}, id="77-0")
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        assert live.counters.streams_rebuilt >= 1
        assert live.counters.last_redis_failure is not None
        live.frame(b"x", 1)
        live.flush()
        assert stream_records(client) == journal_records(tmp_path)


def test_recording_goes_on_without_redis_and_the_stream_is_completed_later(
    tmp_path: Path, store: RedisManager, client: redis.Redis
) -> None:
    door = Store(store.connect)
    door.error = StoreUnavailable("shut")
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, door) as live:
        live.control(ControlType.SETTINGS, received_ns=1, content=b"{}")
        for number in range(50):
            live.frame(b"x", number)
            live.flush()
        assert len(journal_records(tmp_path)) >= 51
        assert stream_records(client) == []
        wait_until(lambda: live.counters.redis_failures > 2)
        assert live.counters.last_redis_failure == "StoreUnavailable: shut"
        assert not live.counters.online
        door.error = None
        wait_until(lambda: live.counters.online)
        live.frame(b"y", 100)
        live.flush()
        assert stream_records(client) == journal_records(tmp_path)
        assert len(client.keys("{tp:t1}:blob:*")) == 1


def test_what_is_recorded_while_the_stream_is_completed_is_not_left_out(
    tmp_path: Path, store: RedisManager, client: redis.Redis
) -> None:
    door = Store(store.connect)
    door.error = StoreUnavailable("shut")

    class History(JournalReader):
        def blobs(self) -> list[str]:  # asked for after the long copy, before the stream is used
            live.frame(b"meanwhile", 2)
            live.flush()
            return super().blobs()

    with open_journal(tmp_path) as journal:
        live = Recorder(
            journal=journal,
            history=History(tmp_path, SHARD, SESSION),
            store=door,
            shard=SHARD,
            session=SESSION,
            retry_seconds=0.02,
        )
        with live:
            live.frame(b"before", 1)
            live.flush()
            door.error = None
            wait_until(lambda: live.counters.online)
            assert stream_records(client) == journal_records(tmp_path)
            assert [number for number, _ in stream_records(client)] == [1, 2]


class Refusing(Line):
    """A line whose transactions fail as told."""

    refusal: Exception | None = None

    def transact(self, *arguments, **options):  # type: ignore[no-untyped-def]
        if Refusing.refusal:
            raise Refusing.refusal
        return super().transact(*arguments, **options)


@pytest.mark.parametrize(
    "refusal",
    [
        RedisConnectionError("reset"),
        redis.exceptions.TimeoutError("slow"),
        redis.exceptions.BusyLoadingError("LOADING"),
        redis.exceptions.ReadOnlyError("READONLY"),
        redis.exceptions.OutOfMemoryError("OOM"),
        redis.exceptions.ResponseError("MISCONF disk full"),
    ],
)
def test_every_refusal_of_redis_is_survived_and_named(
    tmp_path: Path, client: redis.Redis, refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    Refusing.refusal = None
    monkeypatch.setattr(frame_stream, "Line", Refusing)
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, Store(lambda: client)) as live:
        live.frame(b"a", 1)
        live.flush()
        Refusing.refusal = refusal
        live.frame(b"b", 2)
        live.flush()
        assert live.counters.redis_failures >= 1
        assert str(refusal) in str(live.counters.last_redis_failure)
        Refusing.refusal = None
        wait_until(lambda: live.counters.online)
        live.frame(b"c", 3)
        live.flush()
        assert stream_records(client) == journal_records(tmp_path)
        assert [number for number, _ in stream_records(client)] == [1, 2, 3]


def test_a_server_out_of_memory_is_survived(tmp_path: Path) -> None:
    manager = RedisManager(None, tmp_path / "valkey")
    client = manager.connect()
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, manager) as live:
        live.frame(b"a", 1)
        live.flush()
        client.config_set("maxmemory", "1")
        live.frame(b"b", 2)
        live.flush()
        assert not live.counters.online
        client.config_set("maxmemory", "0")
        wait_until(lambda: live.counters.online)
        live.flush()
        assert stream_records(client) == journal_records(tmp_path)
    manager.stop_server()


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_server_comes_back_with_all_records(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    manager = RedisManager(None, tmp_path / "valkey")
    server = EmbeddedValkey(tmp_path / "valkey")
    window = 40_000
    with (
        open_journal(tmp_path, segment_bytes=30_000) as journal,
        recorder(journal, tmp_path, manager, window_bytes=window) as live,
    ):
        for number in range(1500):
            live.frame(generator.randbytes(generator.randrange(200)), number)
            if generator.random() < 0.2:
                live.flush()
            if number in {300, 800, 1200}:
                os.kill(server.ensure_running().pid, signal.SIGKILL)
        live.flush()
        wait_until(lambda: live.counters.online)
        live.frame(b"last", 1500)
        live.flush()
        recorded, held = journal_records(tmp_path), stream_records(manager.connect())
        assert len(recorded) == 1501
        assert held == recorded[-len(held) :]
        assert window / 2 < sum(len(record) for _, record in held) < window + 20_000
        assert live.counters.redis_failures >= 1
    manager.stop_server()


def test_a_refused_write_loses_nothing_and_reaches_the_stream_later(
    tmp_path: Path, store: RedisManager, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        live.frame(b"a", 1)
        with monkeypatch.context() as patch:
            patch.setattr(journal_writer.os, "write", refuse)
            with pytest.raises(JournalWriteFailed, match="No space left"):
                live.flush()
            assert stream_records(client) == []
        live.frame(b"b", 2)
        live.flush()
        assert [number for number, _ in journal_records(tmp_path)] == [1, 2]
        assert stream_records(client) == journal_records(tmp_path)


def test_a_sync_that_fails_in_the_background_is_told_at_the_next_flush(
    tmp_path: Path, store: RedisManager, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = threading.Event()

    def refuse() -> None:
        synced.set()
        raise JournalWriteFailed("the disk is gone")

    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        with monkeypatch.context() as patch:
            patch.setattr(journal, "sync", refuse)
            live.frame(b"a", 1)
            live.flush()
            assert synced.wait(5)
            wait_until(lambda: live._sync_failure is not None)
            live.frame(b"b", 2)
            with pytest.raises(JournalWriteFailed, match="the disk is gone"):
                live.flush()
        wait_until(lambda: not live._dirty.is_set())
        live._sync_failure = None
        assert stream_records(client) == journal_records(tmp_path)
        assert len(journal_records(tmp_path)) == 2


@pytest.mark.parametrize("longer", [False, True])
def test_a_journal_that_was_moved_away_is_begun_anew(
    tmp_path: Path, store: RedisManager, client: redis.Redis, *, longer: bool
) -> None:
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        for number in range(20):
            live.frame(b"of the first", number)
    journal.folder.rename(tmp_path / "away")
    door = Store(store.connect)
    door.error = StoreUnavailable("shut") if longer else None
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, door) as live:
        assert live.counters.journal_repaired == 0
        for number in range(30 if longer else 10):
            assert live.frame(b"of the second", 100 + number) == number + 1
        live.flush()
        door.error = None
        wait_until(lambda: live.counters.online)
        assert live.counters.streams_rebuilt >= 1
        assert live.counters.last_redis_failure is not None
        assert [number for number, _ in journal_records(tmp_path)] == list(range(1, 31 if longer else 11))
        assert stream_records(client) == journal_records(tmp_path)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_nothing_is_recorded_behind_the_close(
    tmp_path: Path, store: RedisManager, client: redis.Redis, *, again: bool, compress: bool
) -> None:
    journal = open_journal(tmp_path)
    live = recorder(journal, tmp_path, store).start()
    live.frame(b"x", 1)
    live.control(ControlType.SESSION_CLOSED, received_ns=2)
    if again:
        live.close()
        journal.close(compress=compress)
        journal = open_journal(tmp_path)
        live = recorder(journal, tmp_path, store).start()
    with pytest.raises(SessionIsClosed, match=r"record 2.*move its folder away"):
        live.frame(b"late", 3)
    with pytest.raises(SessionIsClosed):
        live.control(ControlType.SESSION_OPENED, received_ns=1)
    live.close()
    journal.close()
    assert [number for number, _ in journal_records(tmp_path)] == [1, 2]
    assert stream_records(client) == journal_records(tmp_path)


def test_a_close_that_only_the_stream_has_closes_too(tmp_path: Path, store: RedisManager, client: redis.Redis) -> None:
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        live.frame(b"x", 1)
        live.control(ControlType.SESSION_CLOSED, received_ns=2)
        live.flush()
        journal.close(compress=False)
    path = journal.folder / "000001.journal"
    path.write_bytes(path.read_bytes()[:-5])
    with open_journal(tmp_path) as journal, recorder(journal, tmp_path, store) as live:
        assert live.last_number == 2
        with pytest.raises(SessionIsClosed):
            live.text(b"late", 3)
