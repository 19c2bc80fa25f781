"""The engine as an operator meets it: processes, signals, a server that is away, is full, or holds other things."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from trading_platform.calc.session_pass import SessionPass
from trading_platform.cli import engine as command
from trading_platform.cli.engine import EngineWorker
from trading_platform.cli.stop_signal import Stop
from trading_platform.errors import EngineError, JournalDamaged, StoreRefused
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalReader, JournalWriter, verify_journal
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder
from trading_platform.wire import redis_keys
from trading_platform_tests.as_command import as_command
from trading_platform_tests.session_data import SESSION, SHARD, SessionData, make_session
from trading_platform_tests.torture.outcome import differences, replayed, state_differences

DATA = make_session(5, minutes=6)
NEXT = date(2016, 8, 18)
LIMIT = 60.0


class Place:
    """A data folder with its server."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.settings = Settings(data_dir=folder, shard=SHARD, state_every_seconds=0.01, redis_url=None)
        self.manager = RedisManager(None, self.settings.valkey_dir)
        self.processes: list[subprocess.Popen[str]] = []
        monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest's own handlers stay

    def client(self) -> Any:
        return self.manager.connect()

    def record(self, data: SessionData = DATA, upto: int | None = None) -> None:
        with JournalWriter.open(self.settings.journal_dir, SHARD, data.session) as writer:
            data.write_to(writer, upto)

    def worker(self, **changed: Any) -> EngineWorker:
        return EngineWorker(self.settings.model_copy(update=changed), Stop())

    def work(self, session: date = SESSION, *, rebuild: bool = False) -> None:
        self.worker().run(session, rebuild=rebuild)

    def faults(self, session: date = SESSION) -> list[str]:
        source = JournalRecords(self.settings.journal_dir, SHARD, session)
        expected = replayed(source, session)
        folder = self.state_dir(session)
        return differences(self.client(), SHARD, session, expected=expected) + state_differences(
            folder, source.blob, expected=expected
        )

    def state_dir(self, session: date = SESSION) -> Path:
        return self.settings.state_dir / SHARD / f"{session:%Y%m%d}"

    def process(self, *options: str, **variables: str) -> "subprocess.Popen[str]":
        known = {"PATH": "/usr/bin:/bin", "TP_DATA_DIR": str(self.folder), "TP_SHARD": SHARD}
        compiled = {name: os.environ[name] for name in ("TP_JIT_CACHE",) if name in os.environ}
        given = {"TP_STATE_EVERY_SECONDS": "0.05", "HOME": str(Path.home()), **compiled, **variables}
        process = subprocess.Popen(
            [sys.executable, "-m", "trading_platform", "engine", *options],
            env={**known, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def position(self, session: date = SESSION) -> int:
        return int(self.client().hget(redis_keys.position(SHARD, session), "record") or 0)


def until(done: Callable[[], bool]) -> None:
    begun = elapsed_ns()
    while not done():
        assert elapsed_ns() - begun < LIMIT * NS_PER_SECOND, "waited too long"
        pause(0.01)


def end(process: "subprocess.Popen[str]", how: signal.Signals) -> str:
    """Send a signal and wait for the end; return what was said."""
    process.send_signal(how)
    said, _ = process.communicate(timeout=LIMIT)
    return said


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    place = Place(tmp_path, monkeypatch)
    yield place
    for process in place.processes:
        if process.poll() is None:
            process.kill()
            process.communicate()
    place.manager.stop_server()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_engine_in_order_and_saves_its_state(place: Place, how: signal.Signals) -> None:
    half = len(DATA) // 2
    process = place.process(TP_STATE_EVERY_SECONDS="1000")  # started before there is any journal
    place.client()
    place.record(upto=half)
    until(lambda: place.position() == half)
    said = end(process, how)
    assert process.returncode == 0, said
    assert f"stopped at record {half}" in said
    assert [path.name for path in place.state_dir().iterdir()] == [f"{half:012d}.state"]
    place.record()
    place.work()
    assert place.faults() == []


def test_a_server_that_refuses_is_waited_for_and_said(place: Place) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        port = reserved.getsockname()[1]
        process = place.process(TP_REDIS_URL=f"redis://127.0.0.1:{port}/0")
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "refuse" in said
        assert "trying again in" in said
        end(process, signal.SIGTERM)
    assert process.returncode == 0


def test_all_sessions_of_a_shard_follow_one_another(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    later = make_session(6, minutes=6, session=NEXT)
    place.record()
    place.record(later)
    place.worker().run_all(until_closed=True)
    assert place.faults() == []
    assert place.faults(NEXT) == []
    told = capsys.readouterr().out
    place.worker().run_all(until_closed=True)  # both are finished
    assert capsys.readouterr().out == ""
    assert told.index(str(SESSION)) < told.index(str(NEXT))


def test_a_session_that_was_never_closed_does_not_hold_up_the_next(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.record(make_session(5, minutes=6, closed=False))
    place.record(make_session(6, minutes=6, session=NEXT))
    place.worker().run_all(until_closed=True)
    assert "going on" in capsys.readouterr().out
    assert place.faults() == []
    assert place.faults(NEXT) == []


def test_outputs_that_redis_lost_are_written_again_although_a_state_says_closed(place: Place) -> None:
    place.record()
    place.worker().run_all(until_closed=True)
    place.client().flushall()
    place.worker().run_all(until_closed=True)
    assert place.faults() == []


def test_an_engine_killed_before_its_last_state_leaves_it_to_the_next(place: Place) -> None:
    place.record()
    place.worker().run_all(until_closed=True)
    shutil.rmtree(place.state_dir())
    place.worker().run_all(until_closed=True)
    assert place.faults() == []


def test_outputs_that_expired_long_ago_are_left_alone(place: Place) -> None:
    place.record()
    place.worker().run_all(until_closed=True)
    place.client().flushall()
    long_ago = 1_000_000_000
    for state in place.state_dir().glob("*.state"):
        os.utime(state, (long_ago, long_ago))
    place.worker().run_all(until_closed=True)
    assert place.position() == 0


def test_a_damaged_state_is_named_and_an_older_one_used(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    third = len(DATA) // 3
    for upto in (third, 2 * third):
        place.record(upto=upto)
        stop_when(place, lambda upto=upto: place.position() == upto)
    states = sorted(place.state_dir().glob("*.state"))
    content = bytearray(states[-1].read_bytes())
    content[len(content) // 2] ^= 4
    states[-1].write_bytes(content)
    place.record()
    capsys.readouterr()
    place.work()
    told = capsys.readouterr()
    assert f"{states[-1]} is not used" in told.err
    assert f"state at record {int(states[-2].stem)}, outputs at {2 * third}" in told.out
    assert place.faults() == []


def test_a_state_of_another_version_is_named_and_the_journal_used(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = len(DATA) // 2
    place.record(upto=half)
    with monkeypatch.context() as patched:
        patched.setattr("trading_platform.cli.engine.code_fingerprint", lambda: "older")
        stop_when(place, lambda: place.position() == half)
    place.record()
    place.work()
    told = capsys.readouterr()
    assert "another version of the calculations wrote it" in told.err
    assert f"state at record 0, outputs at {half}" in told.out
    assert place.faults() == []


def test_outputs_that_differ_ask_for_a_rebuild_and_a_rebuild_mends_them(place: Place) -> None:
    half = len(DATA) // 2
    place.record(upto=half)
    stop_when(place, lambda: place.position() == half)
    place.client().hset(redis_keys.position(SHARD, SESSION), "bars_digest", "00" * 32)
    place.record()
    with pytest.raises(EngineError, match="--rebuild"):
        place.work()
    place.work(rebuild=True)
    assert place.faults() == []


@pytest.mark.parametrize("make", [redis_keys.bars, redis_keys.latest, redis_keys.position])
def test_a_foreign_key_is_named_and_a_rebuild_replaces_it(place: Place, make: Any) -> None:
    place.record()
    place.client().set(make(SHARD, SESSION), "something else")
    with pytest.raises(EngineError, match="--rebuild"):
        place.work()
    place.work(rebuild=True)
    assert place.faults() == []


def test_rebuild_without_a_session_is_refused(place: Place) -> None:
    process = place.process("--rebuild")
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert "--session" in said


def test_a_damaged_journal_stops_the_engine_with_its_name(place: Place) -> None:
    with JournalWriter.open(place.settings.journal_dir, SHARD, SESSION) as writer:
        DATA.write_to(writer)
        writer.close(compress=False)
    segment = next(writer.folder.glob("*.journal"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    with pytest.raises(JournalDamaged):
        place.work()
    good = place.position()
    assert 0 < good < len(DATA)
    process = place.process("--until-closed")
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert f"records {good + 1} to" in said
    assert place.position() == good


def test_without_memory_the_engine_waits_and_nothing_is_lost(place: Place) -> None:
    place.record()
    place.client().config_set("maxmemory", 1)
    process = place.process("--until-closed")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    refusals = [line for line in lines if "maxmemory" in line]
    assert "trying again in 0.2 s" in refusals[0]
    assert "trying again in 0.5 s" in refusals[1]
    assert place.position() == 0
    place.client().config_set("maxmemory", 0)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert place.faults() == []


def test_a_disk_without_room_for_states_does_not_stop_the_engine(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.record()
    place.client()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        place.work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert place.position() == len(DATA)
    assert "File too large" in capsys.readouterr().err
    assert list(place.state_dir().glob("*.state")) == []
    place.work()  # there is room again: the state is made from the journal and the outputs are found right
    assert place.faults() == []


@pytest.mark.parametrize("recorder_first", [True, False])
def test_outputs_ahead_of_a_journal_that_lost_its_end_are_met_by_the_stream(
    place: Place, *, recorder_first: bool
) -> None:
    half, lost = len(DATA) // 2, 40
    with recorder(place) as first:
        for item in DATA.items[:half]:
            item.hand_to(first)
    stop_when(place, lambda: place.position() == half)
    shutil.rmtree(place.state_dir())
    segment = next((place.settings.journal_dir / SHARD / f"{SESSION:%Y%m%d}").glob("*.journal"))
    cut = sum(len(DATA.batch.encoded(row)) for row in range(half - lost, half))
    os.truncate(segment, segment.stat().st_size - cut)
    if not recorder_first:
        steps = iter([False] * 8)
        stop_when(place, lambda: next(steps, True))
        assert [path.name for path in place.state_dir().iterdir()] == [f"{half:012d}.state"]
    with recorder(place) as second:
        assert second.counters.journal_repaired == lost
        for item in DATA.items[second.last_number :]:
            item.hand_to(second)
    place.work()
    assert place.faults() == []


def recorder(place: Place) -> Any:
    """Return a recorder whose journal is closed with it."""
    journal = JournalWriter.open(place.settings.journal_dir, SHARD, SESSION)
    history = JournalReader(place.settings.journal_dir, SHARD, SESSION)

    class Closing(Recorder):
        def close(self) -> None:
            super().close()
            journal.close(compress=False)

    return Closing(journal=journal, history=history, store=place.manager, shard=SHARD, session=SESSION)


def stop_when(place: Place, done: Callable[[], bool]) -> None:
    """Run the engine in this process, asked to stop as soon as `done`."""

    class WhenDone(Stop):
        @property
        def asked(self) -> bool:  # type: ignore[override]
            return done()

        @asked.setter
        def asked(self, value: bool) -> None:
            """Stay as `done` says."""

    EngineWorker(place.settings, WhenDone()).run(SESSION, rebuild=False)


@pytest.mark.parametrize("engine_stays", [False, True])
def test_a_journal_that_was_moved_away_and_begun_anew_is_computed_anew(
    place: Place, capsys: pytest.CaptureFixture[str], *, engine_stays: bool
) -> None:
    half, other = len(DATA) // 2, make_session(9, minutes=6)
    with recorder(place) as first:  # what a killed recorder leaves: journal and stream up to the same record
        for item in DATA.items[:half]:
            item.hand_to(first)
    folder = place.settings.journal_dir / SHARD / f"{SESSION:%Y%m%d}"
    process = None
    if engine_stays:
        process = place.process("--session", f"{SESSION}")
        until(lambda: place.position() == half)
    else:
        stop_when(place, lambda: place.position() == half)
    folder.rename(place.folder / "away")
    with recorder(place) as second:
        assert second.last_number == 0
        for item in other.items:
            item.hand_to(second)
    if process:
        said, _ = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, said
        assert "another journal" in said
    else:
        place.worker().run_all(until_closed=True)
        assert "another journal of this session: they are reset" in capsys.readouterr().err
    assert verify_journal(place.settings.journal_dir, SHARD, SESSION).is_whole
    assert place.position() == len(other)
    assert place.faults() == []


def test_outputs_of_a_journal_that_is_gone_wait_for_its_successor(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.record()
    place.work()
    folder = place.settings.journal_dir / SHARD / f"{SESSION:%Y%m%d}"
    shutil.rmtree(folder)
    steps = iter([False] * 20)
    stop_when(place, lambda: next(steps, True))
    assert "is not there" in capsys.readouterr().err
    assert place.position() == len(DATA)
    place.record(make_session(9, minutes=6))
    place.work()
    assert place.faults() == []


def test_a_foreign_stream_of_frames_ends_the_engine_with_its_name(place: Place) -> None:
    place.record()
    place.client().set(redis_keys.frames(SHARD, SESSION), "something else")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        place.work()


@pytest.mark.parametrize(("session", "says"), [("2030-01-01", "2030"), ("2026-01-26", "Republic Day")])
def test_a_date_that_is_no_session_is_refused_by_name(
    session: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest's own handlers stay
    done = as_command("engine", "--session", session)
    assert done.returncode == 2
    assert says in done.stderr


def test_silence_is_said_once_and_again_after_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(command, "elapsed_ns", lambda: now[0])
    said: list[str] = []
    silence = command.Silence(said.append)
    state = SessionPass(SESSION, {}.__getitem__)
    for second in (1, 4, 6, 9):
        now[0] = second * NS_PER_SECOND
        silence.goes_on(state)
    assert len(said) == 1
    assert "there is no journal" in said[0]
    silence.broken()
    now[0] = 20 * NS_PER_SECOND
    silence.goes_on(state)
    assert len(said) == 2
