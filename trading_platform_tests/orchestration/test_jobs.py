"""The jobs find their session, make what is missing before it, and fail with the reason."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.calc.volume_baseline import BaselineBlock
from trading_platform.definitions import build_definitions
from trading_platform.errors import JournalDamaged
from trading_platform.orchestration import asset_market_data
from trading_platform.orchestration.context import STARTED_BY
from trading_platform.orchestration.live_check import live_equals_replay
from trading_platform.settings import Settings
from trading_platform_tests.orchestration.fakes import FakeJournals, FakeStore, fake_redis, position
from trading_platform_tests.orchestration.world import LAST, SESSIONS, World, reason


def test_without_a_session_the_latest_with_input_is_prepared(world: World) -> None:
    result = world.run("materialize_baselines")
    assert result.success
    assert world.lake.sessions("volume_baselines") == [LAST]
    assert world.lake.sessions("minute_bars")[-1] == SESSIONS[-2]
    rows = world.lake.read_sessions("volume_baselines", [LAST])
    known = rows.drop_nulls("expected_median")
    for interval in (1, 5):
        assert known.filter(interval=interval)["expected_median"].to_list() == pytest.approx(
            [1000.0 * interval] * known.filter(interval=interval).height
        )
    assert set(known["sessions_used"]) == {5}
    assert set(known["model"]) <= {"published_panel", "published_filter"}
    # an index trades nothing: it stands there with the reason
    assert rows.filter(symbol="SYNDEX").select("model", "reason").rows() == [("none", "no volume in any past session")]
    baseline, seeds = (world.store.blocks[family] for family in ("baseline", "seeds"))
    assert BaselineBlock.decode(baseline).session == SeedBlock.decode(seeds).session == LAST


def test_the_materialisations_stand_under_their_partition_and_name_their_starter(world: World) -> None:
    result = world.run("materialize_baselines")
    (event,) = world.instance.fetch_materializations(dg.AssetKey("volume_baselines"), limit=10).records
    assert event.partition_key == str(LAST)
    run = world.instance.get_run_by_id(event.run_id)
    assert run is not None
    assert run.tags[STARTED_BY] == result.run_id
    past = world.instance.get_materialized_partitions(dg.AssetKey("minute_bars"))
    assert past == {str(day) for day in SESSIONS[-6:-1]}


def test_past_bars_are_one_run_not_one_a_session(world: World) -> None:
    world.run("materialize_baselines")
    runs = {one.run_id for one in world.instance.fetch_materializations(dg.AssetKey("minute_bars"), limit=50).records}
    assert len(runs) == 1


def test_a_partition_names_the_session(world: World) -> None:
    assert world.run("materialize_baselines", dagster__partition=str(SESSIONS[-2])).success
    assert world.lake.sessions("volume_baselines") == [SESSIONS[-2]]


def test_a_configured_session_wins(world: World) -> None:
    job = world.definitions.resolve_job_def("materialize_baselines")
    config = {"ops": {"prepare_session": {"config": {"session": str(SESSIONS[-3])}}}}
    assert job.execute_in_process(instance=world.instance, run_config=config).success
    assert world.lake.sessions("volume_baselines") == [SESSIONS[-3]]


def test_a_date_that_is_no_session_fails_by_its_name(world: World) -> None:
    result = world.run("materialize_baselines", dagster__partition="2026-07-26")
    assert not result.success
    assert "2026-07-26 is no session" in reason(result)


def test_a_missing_dump_fails_the_job_with_what_to_do(world: World, tmp_path: Path) -> None:
    (tmp_path / "dumps" / f"instruments_{LAST:%Y%m%d}.csv").unlink()
    result = world.run("materialize_baselines")
    assert not result.success
    assert f"no instrument dump of {LAST}" in reason(result)


def test_patterns_without_a_journal_fail_with_what_to_do(world: World) -> None:
    world.run("materialize_baselines")
    result = world.run("run_patterns")
    assert not result.success
    assert f"has no journal of {LAST}" in reason(result)
    # the rest is there: bars and indicators come from the import
    snapshots = world.lake.read_sessions("indicator_snapshots", [LAST])
    assert snapshots.filter(pl.col("symbol") == "SYNONE")["rvol_bar"].to_numpy() == pytest.approx(1.0)


def test_nothing_at_all_is_named(tmp_path: Path) -> None:
    made = build_definitions(Settings(data_dir=tmp_path), redis_manager=fake_redis(FakeStore()))
    with dg.DagsterInstance.ephemeral() as instance:
        result = made.resolve_job_def("run_patterns").execute_in_process(instance=instance, raise_on_error=False)
    assert "neither a journal nor the lake" in reason(result)


def test_a_damaged_journal_fails_the_job_and_turns_the_proof_red(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise JournalDamaged("record 7 fails its checksum")

    monkeypatch.setattr(asset_market_data, "replay_of_run", damaged)
    store = FakeStore(position())
    journals = FakeJournals(root=str(LAST), shard="k1", damaged=True)
    made = build_definitions(Settings(data_dir=tmp_path), redis_manager=fake_redis(store), journals=journals)
    job = made.resolve_job_def("run_patterns")
    result = job.execute_in_process(instance=world.instance, raise_on_error=False)
    assert "record 7 fails its checksum" in reason(result)
    # the run planned the check and never reached it; the verdict comes after
    newest, *_ = world.instance.event_log_storage.get_asset_check_execution_history(
        live_equals_replay.check_key, limit=5
    )
    evaluation = newest.event.asset_check_evaluation
    assert not evaluation.passed
    assert evaluation.partition == str(LAST)
    assert "record 7" in evaluation.metadata["reason"].value
