"""One job makes all that a session needs before its open; a broker that fails costs candles, not the baselines."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.settings import CalculationSettings, Settings
from trading_platform.storage.lake import Lake
from trading_platform_tests.orchestration.fakes import FakeStore, fake_redis
from trading_platform_tests.orchestration.world import LAST, World, reason
from trading_platform_tests.simulator.exchange.offered import BEFORE, SESSION, Running, running


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running() as found:
        yield found


def login(monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    for name, value in {
        "TP_KITE_API_KEY": "simulator",
        "TP_KITE_ACCESS_TOKEN": "simulator-access",
        "TP_KITE_API_ROOT": root,
    }.items():
        monkeypatch.setenv(name, value)


def test_a_first_morning_needs_nothing_but_a_login(
    tmp_path: Path, exchange: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(monkeypatch, exchange.addresses.rest)
    few = CalculationSettings(baseline_sessions=2, baseline_min_sessions=1, seed_sessions=2)
    settings = Settings(data_dir=tmp_path, calculation=few)
    store = FakeStore()
    made = build_definitions(settings, redis_manager=fake_redis(store))
    config = {"ops": {"prepare": {"config": {"sessions": 1, "names": ["ALPHA", "INDEX 1"]}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        job = made.resolve_job_def("prepare_day")
        assert job.execute_in_process(instance=instance, run_config=config, raise_on_error=False).success
        prepared = instance.get_materialized_partitions(dg.AssetKey("volume_baselines"))
    lake = Lake(settings.lake_dir)
    # the exchange trades that day, whatever the machine's clock says
    assert prepared == {str(SESSION)}
    assert lake.sessions("subscription_universe") == lake.sessions("indicator_seeds") == [SESSION]
    assert lake.sessions("historical_bars") == lake.sessions("minute_bars") == [BEFORE]
    assert set(store.blocks) == {"baseline", "seeds"}


def test_a_failed_backfill_is_named_and_the_rest_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    login(monkeypatch, "http://127.0.0.1:1")
    config = {"ops": {"prepare": {"config": {"session": str(LAST), "sessions": 30}}}}
    result = world.definitions.resolve_job_def("prepare_day").execute_in_process(
        instance=world.instance, run_config=config, raise_on_error=False
    )
    assert "backfill: historical_bars: " in reason(result)
    assert world.lake.sessions("volume_baselines") == world.lake.sessions("indicator_seeds") == [LAST]


def test_without_instruments_nothing_is_prepared(world: World, tmp_path: Path) -> None:
    (tmp_path / "dumps" / f"instruments_{LAST:%Y%m%d}.csv").unlink()
    assert "no instrument dump" in reason(world.run("prepare_day", dagster__partition=str(LAST)))
    assert world.lake.sessions("minute_bars") == []


def test_a_date_that_is_no_session_is_named(world: World) -> None:
    assert "is no session" in reason(world.run("prepare_day", dagster__partition="2026-07-26"))
