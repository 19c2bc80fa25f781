from pathlib import Path

import dagster as dg

from trading_platform.orchestration.report import is_settled, report

DAYS = dg.StaticPartitionsDefinition(["2026-07-30", "2026-07-31"])


@dg.asset(partitions_def=DAYS)
def bars(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    rows = 10 if context.partition_key == "2026-07-30" else 20
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


@dg.asset_check(asset=bars)
def bars_are_fine(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    again = context.run.tags.get("again") == "yes"
    return dg.AssetCheckResult(passed=again, metadata={"again": again})


def test_runs_partitions_and_the_newest_verdict(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for key, tags in (("2026-07-30", {}), ("2026-07-31", {}), ("2026-07-31", {"again": "yes"})):
            done = dg.materialize(
                [bars, bars_are_fine], instance=instance, partition_key=key, tags=tags, raise_on_error=False
            )
            assert done.success
        found = report(instance)
    assert found["assets"] == {"bars": {"partitions": {"2026-07-30": 10, "2026-07-31": 20}}}
    assert [run["status"] for run in found["runs"]] == ["SUCCESS"] * 3
    assert found["checks"]["bars:bars_are_fine"] == {"passed": True, "severity": "ERROR", "facts": {"again": True}}


def test_an_empty_home_has_nothing_to_report(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert report(instance) == {"runs": [], "assets": {}, "checks": {}}


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def run_patterns() -> None:
    nothing()


@dg.job
def other() -> None:
    nothing()


def test_pattern_runs_are_settled_when_the_last_succeeded_or_one_has_not() -> None:
    status = dg.DagsterRunStatus
    whole = {"dagster/run_key": "2026-07-31-9-0-closed"}
    part = {"dagster/run_key": "2026-07-31-9-0"}
    with dg.DagsterInstance.ephemeral() as instance:
        for job, state, tags in (
            (other, status.SUCCESS, whole),
            (other, status.FAILURE, part),
            (run_patterns, status.SUCCESS, part),
            (run_patterns, status.SUCCESS, {}),
            (run_patterns, status.STARTED, whole),
        ):
            instance.create_run_for_job(job, status=state, tags=tags)
            assert not is_settled(instance)
        instance.create_run_for_job(run_patterns, status=status.SUCCESS, tags=whole)
        assert is_settled(instance)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(run_patterns, status=status.FAILURE, tags=part)
        assert is_settled(instance)
