"""Old observations and verdicts that belong to no run go; the last of each asset, partition and check stays."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_platform.market.clock import Clock
from trading_platform.orchestration.event_retention import prune_events

ONE, TWO = dg.AssetKey("one"), dg.AssetKey("two")
CHECK = dg.AssetCheckKey(ONE, "fine")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened


def observe(instance: dg.DagsterInstance, key: dg.AssetKey, value: int, partition: str | None = None) -> None:
    instance.report_runless_asset_event(dg.AssetObservation(key, metadata={"value": value}, partition=partition))


def verdict(instance: dg.DagsterInstance, *, passed: bool) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=ONE, check_name="fine", passed=passed, metadata={})
    )


def values(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[int]:
    found = instance.fetch_observations(key, limit=100).records
    return [int(one.asset_observation.metadata["value"].value) for one in found if one.asset_observation]


def test_the_last_of_each_stays(instance: dg.DagsterInstance) -> None:
    for value in range(4):
        observe(instance, ONE, value)
        observe(instance, TWO, value, partition=f"day-{value % 2}")
    for passed in (True, True, False):
        verdict(instance, passed=passed)
    in_an_hour = Clock.wall().now() + timedelta(hours=1)
    # 3 of one, 2 of two, and the two verdicts before the last: as events, and in the history of the check
    assert prune_events(instance, in_an_hour) == 3 + 2 + 2 + 2
    assert values(instance, ONE) == [3]
    assert sorted(values(instance, TWO)) == [2, 3]
    history = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)
    assert [record.status.value for record in history] == ["FAILED"]
    assert prune_events(instance, in_an_hour) == 0


def test_what_is_young_stays(instance: dg.DagsterInstance) -> None:
    for value in range(3):
        observe(instance, ONE, value)
        verdict(instance, passed=True)
    assert prune_events(instance, Clock.wall().now() - timedelta(hours=1)) == 0
    assert values(instance, ONE) == [2, 1, 0]
