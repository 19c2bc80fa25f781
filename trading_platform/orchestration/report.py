"""What this Dagster home has seen: runs, materialised partitions, verdicts of checks; printed as JSON by itself.

A module of its own process, because importing Dagster takes longer than most commands run.
"""

import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import orjson

from trading_platform.market.clock import pause
from trading_platform.orchestration.sensors import CLOSED

_PAGE = 1000
_POLL_SECONDS = 0.5


def report(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Return the runs by job, partitions and rows by asset, and the newest verdict by check and partition."""
    runs = list(instance.get_runs())
    assets: dict[str, dict[str, Any]] = {}
    for partition, key, materialization in _materializations(instance):
        found = assets.setdefault(key, {"partitions": {}})
        rows = materialization.metadata.get("dagster/row_count")
        found["partitions"][partition] = None if rows is None else rows.value
    return {
        "runs": [{"job": run.job_name, "status": run.status.value, "tags": run.tags, "id": run.run_id} for run in runs],
        "assets": assets,
        "checks": _checks(instance, [run.run_id for run in reversed(runs)]),
    }


def _materializations(instance: dg.DagsterInstance) -> Iterator[tuple[str, str, dg.AssetMaterialization]]:
    for key in instance.all_asset_keys():
        cursor = None
        while True:
            page = instance.fetch_materializations(key, limit=_PAGE, cursor=cursor, ascending=True)
            for record in page.records:
                materialization = record.asset_materialization
                if materialization is not None:
                    yield str(materialization.partition), key.to_user_string(), materialization
            if not page.has_more:
                break
            cursor = page.cursor


def _checks(instance: dg.DagsterInstance, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Go through the runs, oldest first: the newest verdict stands."""
    verdicts: dict[str, dict[str, Any]] = {}
    for run_id in run_ids:
        for event in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            said = event.get_dagster_event().asset_check_evaluation_data
            verdicts[f"{said.asset_key.to_user_string()}:{said.check_name}"] = {
                "passed": said.passed,
                "severity": said.severity.value,
                "facts": {name: value.value for name, value in said.metadata.items()},
            }
    return verdicts


def is_settled(instance: dg.DagsterInstance) -> bool:
    """Return whether the pattern run over a session that was closed has succeeded, or any pattern run has not."""
    runs = instance.get_runs(dg.RunsFilter(job_name="run_patterns"))
    if any(run.status in {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED} for run in runs):
        return True
    ended = [run for run in runs if run.tags.get("dagster/run_key", "").endswith(CLOSED)]
    return any(run.status is dg.DagsterRunStatus.SUCCESS for run in ended)


def main(arguments: list[str]) -> None:
    """Print the report of the home that DAGSTER_HOME names; with --settled, once pattern runs are."""
    with dg.DagsterInstance.get() as instance:
        while "--settled" in arguments and not is_settled(instance):
            pause(_POLL_SECONDS)
        sys.stdout.buffer.write(orjson.dumps(report(instance), default=str))


if __name__ == "__main__":
    main(sys.argv[1:])
