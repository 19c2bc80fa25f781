"""The promise of the platform: whatever crashes, what was written live is what a replay of the journal gives."""

from pathlib import Path

import pytest

from trading_platform.storage.journal import JournalWriter
from trading_platform.storage.record_source import JournalRecords
from trading_platform.storage.redis_manager import RedisManager
from trading_platform_tests.session_data import SHARD, make_session
from trading_platform_tests.torture.crashes import torture
from trading_platform_tests.torture.faults import Chances, cutting_client, run_with_crashes
from trading_platform_tests.torture.outcome import differences, replayed, state_differences

SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_processes_leave_what_an_undisturbed_pass_leaves(seed: int) -> None:
    report = torture(seed)
    assert not report.faults, "\n".join(report.faults)
    assert report.signals > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_crashes_inside_the_engine_leave_what_an_undisturbed_pass_leaves(seed: int, tmp_path: Path) -> None:
    data = make_session(seed, minutes=12)
    journal = tmp_path / "journal"
    with JournalWriter.open(journal, SHARD, data.session) as writer:
        data.write_to(writer)
    manager = RedisManager(None, tmp_path / "valkey")
    try:
        calm = manager.connect()
        chances = Chances(seed, rate=0.06)
        client = cutting_client(calm.connection_pool.connection_kwargs["path"], chances)
        folder = tmp_path / "state"
        run_with_crashes(
            lambda: JournalRecords(journal, SHARD, data.session),
            data.session,
            folder,
            client=client,
            calm=calm,
            chances=chances,
        )
        source = JournalRecords(journal, SHARD, data.session)
        expected = replayed(source, data.session)
        assert expected.position == len(data)
        assert differences(calm, SHARD, data.session, expected=expected) == []
        assert state_differences(folder, source.blob, expected=expected) == []
        assert sum(chances.crashes.values()) > 10
    finally:
        manager.stop_server()
