"""What this Dagster home has seen: runs, materialised partitions, verdicts of checks; printed as JSON by itself.

A module of its own process, because importing Dagster takes longer than most commands run.
"""

import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import orjson

_PAGE = 1000


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


def main() -> None:
    """Print the report of the home that DAGSTER_HOME names."""
    with dg.DagsterInstance.get() as instance:
        sys.stdout.buffer.write(orjson.dumps(report(instance), default=str))


if __name__ == "__main__":
    main()
