"""What Dagster shows is what was reviewed: keys, groups, checks, jobs, sensors and schedules stand in a file."""

from pathlib import Path
from typing import Any

import dagster as dg
import orjson

from trading_platform.definitions import build_definitions, defs
from trading_platform.settings import Settings

GROUPS = {"reference", "market_data", "volume", "indicators", "patterns", "operations"}

JOBS = {
    "materialize_baselines",
    "run_patterns",
    "backfill",
    "backup_data",
    "restore_data",
    "migrate_redis",
    "debug_pipeline",
    "health_check",
    "compact_lake",
    "prune_runs",
    "check_backups",
    "check_prepared",
    "prepare_day",
    "close_day",
}
"""What `dagster job execute -m trading_platform.definitions -j NAME` takes."""

REVIEWED = Path(__file__).parent / "answers" / "definitions.json"


def described(definitions: dg.Definitions) -> dict[str, Any]:
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "kinds": sorted(graph.get(key).kinds),
                "owners": sorted(graph.get(key).owners),
                "deps": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "partitioned": graph.get(key).partitions_def is not None,
                "pool": sorted(graph.get(key).pools or ()),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys),
        "jobs": sorted(name for name in repository.job_names if not name.startswith("__")),
        "schedules": {one.name: one.cron_schedule for one in repository.schedule_defs},
        "sensors": {one.name: one.default_status.value for one in repository.sensor_defs},
        "resources": sorted(definitions.resources or {}),
    }


def test_definitions_are_those_that_were_reviewed() -> None:
    assert described(defs) == orjson.loads(REVIEWED.read_bytes())


def test_definitions_can_be_loaded() -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_says_what_it_is_in_one_sentence_and_names_its_columns() -> None:
    graph = defs.get_repository_def().asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.description.endswith("."), key
        assert node.description.count(". ") == 0, key
        assert node.kinds, key
        assert node.owners, key
        assert node.group_name in GROUPS, key
    for key in graph.materializable_asset_keys:
        columns = graph.get(key).metadata["dagster/column_schema"].columns
        assert columns[0].name == "session", key
        assert all(column.description for column in columns), key


def test_every_asset_that_we_make_has_a_check() -> None:
    graph = defs.get_repository_def().asset_graph
    checked = {key.asset_key for key in graph.asset_check_keys}
    assert checked >= graph.materializable_asset_keys


def test_no_group_is_empty() -> None:
    graph = defs.get_repository_def().asset_graph
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} == GROUPS


def test_every_job_is_there_by_name_and_each_field_of_its_configuration_says_what_it_is() -> None:
    assert set(defs.get_repository_def().job_names) >= JOBS
    silent = {
        f"{name}.{node.name}.{field_name}"
        for name in JOBS
        for node in defs.resolve_job_def(name).nodes
        for field_name, one in getattr(node.definition.config_field.config_type, "fields", {}).items()
        if not one.description
    }
    assert silent == set()


def test_every_job_is_configured_by_typed_fields() -> None:
    # which checks to run is no choice
    for name in JOBS - {"check_backups", "check_prepared"}:
        kinds = [node.definition.config_field.config_type for node in defs.resolve_job_def(name).nodes]
        # a check that runs with its asset takes anything
        assert any(getattr(kind, "fields", None) for kind in kinds), name


def test_no_secret_is_part_of_a_resource(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://user:hidden@host/0", kite_api_key="hidden-key")
    shown = str(build_definitions(settings).resources)
    assert "hidden" not in shown


def test_resources_can_be_replaced(tmp_path: Path) -> None:
    stand_in = dg.ResourceDefinition.hardcoded_resource("other")
    made = build_definitions(Settings(data_dir=tmp_path), lake=stand_in)
    assert (made.resources or {})["lake"] is stand_in
