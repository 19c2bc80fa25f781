"""A new user has baselines on the first morning: a backfill, then materialize_baselines, and nothing else."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.settings import CalculationSettings, Settings
from trading_platform.storage.lake import Lake
from trading_platform_tests.orchestration.fakes import FakeStore, fake_redis
from trading_platform_tests.orchestration.world import reason
from trading_platform_tests.simulator.exchange.offered import BEFORE, SESSION, TOKENS, Running, running


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path, exchange: Running, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {
        "TP_KITE_API_KEY": "simulator",
        "TP_KITE_ACCESS_TOKEN": "simulator-access",
        "TP_KITE_API_ROOT": exchange.addresses.rest,
    }.items():
        monkeypatch.setenv(name, value)
    few = CalculationSettings(baseline_sessions=2, baseline_min_sessions=1, seed_sessions=2)
    return Settings(data_dir=tmp_path, calculation=few)


def run(made: dg.Definitions, instance: dg.DagsterInstance, job: str, **config: object) -> dg.ExecuteInProcessResult:
    run_config = {"ops": {"historical_bars": {"config": config}}} if config else None
    return made.resolve_job_def(job).execute_in_process(instance=instance, run_config=run_config, raise_on_error=False)


def test_a_new_user_has_baselines_on_the_first_morning(settings: Settings) -> None:
    store = FakeStore()
    made = build_definitions(settings, redis_manager=fake_redis(store))
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, instance, "backfill", sessions=1, until=str(BEFORE)).success
        (event,) = instance.fetch_materializations(dg.AssetKey("historical_bars"), limit=5).records
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["requests"].value == len(TOKENS)
        assert run(made, instance, "materialize_baselines").success
    lake = Lake(settings.lake_dir)
    assert lake.sessions("volume_baselines") == lake.sessions("indicator_seeds") == [SESSION]
    bars = lake.read_sessions("minute_bars", [BEFORE])
    assert set(bars["source"]) == {"kite_historical"}
    assert lake.counts("minute_bars") == lake.counts("historical_bars")
    assert set(store.blocks) == {"baseline", "seeds"}
    rows = lake.read_sessions("volume_baselines", [SESSION])
    listed = lake.read_sessions("instruments", [SESSION]).filter(pl.col("token").is_in(rows["token"].implode()))
    assert listed.height == rows["token"].n_unique() == len(TOKENS)
    # an index does not trade, and nothing is said of options
    served = listed.filter((pl.col("segment") != "INDICES") & ~pl.col("instrument_type").is_in(["CE", "PE"]))
    assert set(rows.drop_nulls("expected_median")["token"]) == set(served["token"])
    assert 1 < served.height < len(TOKENS)


def test_bars_are_made_again_when_a_backfill_brought_more(settings: Settings) -> None:
    made = build_definitions(settings, redis_manager=fake_redis(FakeStore()))
    lake = Lake(settings.lake_dir)
    with dg.DagsterInstance.ephemeral() as instance:
        for names in (["ALPHA"], ["ALPHA", "BETA"]):
            assert run(made, instance, "backfill", dates=[str(BEFORE)], names=names).success
            assert run(made, instance, "materialize_baselines").success
            assert lake.counts("minute_bars") == lake.counts("historical_bars")
    assert set(lake.read_sessions("minute_bars", [BEFORE])["symbol"]) == {"ALPHA", "BETA"}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"dates": ["yesterday"]}, "yesterday"),
        ({"until": str(date(2016, 8, 16))}, "not over yet"),
        ({"dates": [str(BEFORE)], "names": ["GAMMA"]}, "lists no GAMMA"),
    ],
)
def test_what_cannot_be_done_is_named(settings: Settings, config: dict[str, object], why: str) -> None:
    made = build_definitions(settings, redis_manager=fake_redis(FakeStore()))
    with dg.DagsterInstance.ephemeral() as instance:
        assert why in reason(run(made, instance, "backfill", **config))
