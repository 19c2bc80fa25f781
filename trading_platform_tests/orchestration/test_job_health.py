"""The job fails when something is red, warns of less, and leaves an observation and a verdict."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest

from trading_platform.health.findings import Finding, Level
from trading_platform.health.look import Health
from trading_platform.health.snapshots import Histogram, Recent
from trading_platform.market.clock import elapsed_ns
from trading_platform.orchestration.job_health import (
    CHECK,
    HEALTH,
    HealthConfig,
    figures_of,
    health_asset_check,
    health_check_job,
    health_events,
)
from trading_platform.settings import IsolatedSettings
from trading_platform_tests.health.made import at, feed_values
from trading_platform_tests.orchestration.world import reason


def write_feed(data: Path, hour: int) -> None:
    """Leave a feed that ended without a word, by a clock that shows this hour of a session."""
    clock = {"epoch_ns": at(hour), "rate": 1.0, "anchor_ns": elapsed_ns(), "steady": True}
    (data / "feed").mkdir(exist_ok=True)
    values = feed_values(clock=clock, pid=2**22 + 1)
    (data / "feed" / "k1.json").write_bytes(orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS))


def run(instance: dg.DagsterInstance, data: Path, **config: Any) -> dg.ExecuteInProcessResult:
    job = health_check_job(lambda: IsolatedSettings(data_dir=data))
    given = {"ops": {"look_at_health": {"config": config}}} if config else {}
    return job.execute_in_process(run_config=given, instance=instance, raise_on_error=False)


def test_red_fails_and_is_recorded(tmp_path: Path) -> None:
    write_feed(tmp_path, 10)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(instance, tmp_path)
        assert "shard k1 is red: " in reason(result)
        assert "is gone without a word" in reason(result)
        (record,) = instance.fetch_observations(HEALTH.key, limit=5).records
        assert record.asset_observation is not None
        shown = record.asset_observation.metadata
        assert (shown["level"].value, shown["level_feed"].value, shown["feed_alive"].value) == (2, 2, 0)
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(HEALTH.key, CHECK)]
        )
        assert [one.status.value for one in found.values()] == ["FAILED"]
        assert run(instance, tmp_path, fail_at="never").success


def test_degraded_warns_and_fails_only_when_asked(tmp_path: Path) -> None:
    write_feed(tmp_path, 20)  # the market is closed: a feed that died is a warning
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(instance, tmp_path).success
        assert "shard k1 is degraded" in reason(run(instance, tmp_path, fail_at="degraded"))


def health(level: Level) -> Health:
    figures = {"age": 1.5, "unknown": None, "by_kind": {"a": 1}}
    return Health("k1", at(10), (Finding("feed", level, "a says", "an advice", figures),), {})


@pytest.mark.parametrize(
    ("level", "passed", "severity"),
    [
        (Level.GREEN, True, dg.AssetCheckSeverity.WARN),
        (Level.DEGRADED, False, dg.AssetCheckSeverity.WARN),
        (Level.RED, False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_the_verdict_says_how_bad_it_is(level: Level, passed: bool, severity: dg.AssetCheckSeverity) -> None:
    _, verdict = health_events(health(level))
    assert isinstance(verdict, dg.AssetCheckEvaluation)
    assert (verdict.passed, verdict.severity) == (passed, severity)


def test_latencies_are_shown_once_a_frame_was_measured() -> None:
    recent = Recent(count=1, p50=0.1, p99=0.2)
    none = Histogram(count=0, sum=0, p50=None, p99=None, max=None, recent=recent, buckets=[(1.0, 0)])
    some = Histogram(count=2, sum=1, p50=0.1, p99=0.2, max=0.2, recent=recent, buckets=[(0.1, 1), (0.2, 2)])
    for latency, shown in (({}, False), ({"to_stream": none}, False), ({"to_stream": some}, True)):
        observation, _ = health_events(replace(health(Level.GREEN), latency=latency))
        assert ("latency" in observation.metadata) == shown


def test_numbers_that_are_known_plot() -> None:
    assert figures_of(health(Level.DEGRADED)) == {
        "level": 1,
        "level_word": "degraded",
        "shard": "k1",
        "level_feed": 1,
        "feed_age": 1.5,
    }


def test_the_check_can_be_run_by_hand(tmp_path: Path) -> None:
    write_feed(tmp_path, 10)
    check = health_asset_check(lambda: IsolatedSettings(data_dir=tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([HEALTH, check], instance=instance, selection=dg.AssetSelection.checks(check))
        (one,) = result.get_asset_check_evaluations()
    assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.ERROR)


def test_every_field_says_what_it_is() -> None:
    assert all(field.description for field in HealthConfig.model_fields.values())
