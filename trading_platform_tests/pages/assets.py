"""The page of assets, jobs, schedules, sensors and checks, made from the definitions."""

from typing import Any

import dagster as dg

from trading_platform.definitions import defs

_HEAD = """# Assets and jobs

Made from the definitions (`make pages`); the UI shows the same with what happened. A partition is a session: one date
on which any covered exchange is open. Nothing is partitioned by symbol.

An asset that is *external* is written by feed, engine or a job, and stands here so that every table can be followed
back to the socket.
"""
_GROUPS = ("reference", "market_data", "volume", "indicators", "patterns", "operations")
_HIDDEN_JOB = "__"


def assets_page() -> str:
    """Return the page: assets by group with columns and checks, then jobs, schedules and sensors."""
    repository = defs.get_repository_def()
    parts = [_HEAD]
    for group in _GROUPS:
        parts += [f"## {group}", ""]
        parts += [_asset(repository, key) for key in sorted(_keys(repository, group))]
    parts += ["## Jobs", "", *_rows(("job", "what it does"), _jobs(repository)), ""]
    parts += ["## Schedules and sensors", "", *_rows(("name", "when", "what it does"), _instigators(repository)), ""]
    return "\n".join(parts)


def _keys(repository: dg.RepositoryDefinition, group: str) -> list[dg.AssetKey]:
    graph = repository.asset_graph
    return [key for key in graph.get_all_asset_keys() if graph.get(key).group_name == group]


def _asset(repository: dg.RepositoryDefinition, key: dg.AssetKey) -> str:
    node = repository.asset_graph.get(key)
    name = key.to_user_string()
    above = ", ".join(f"[`{one}`](#{one})" for one in sorted(parent.to_user_string() for parent in node.parent_keys))
    facts = [
        "External" if not node.is_materializable else "Table of the lake",
        "one partition a session" if node.partitions_def else "not partitioned",
        f"made from {above}" if above else "",
    ]
    lines = [f"### {name}", "", f"{node.description}", "", "; ".join(fact for fact in facts if fact) + ".", ""]
    lines += _columns(node.metadata)
    checks = sorted(one.name for one in repository.asset_graph.asset_check_keys if one.asset_key == key)
    if checks:
        told = [(f"`{one}`", _check_description(repository, key, one)) for one in checks]
        lines += [*_rows(("check", "what has to hold"), told), ""]
    return "\n".join(lines)


def _columns(metadata: Any) -> list[str]:
    schema = metadata.get("dagster/column_schema")
    if schema is None:
        return []
    lineage = metadata.get("dagster/column_lineage")
    sources = {} if lineage is None else lineage.deps_by_column
    rows = []
    for column in schema.columns:
        origin = ", ".join(
            f"`{one.asset_key.to_user_string()}.{one.column_name}`" for one in sources.get(column.name, ())
        )
        rows.append((f"`{column.name}`", f"`{column.type}`", column.description or "", origin))
    return [*_rows(("column", "type", "meaning", "comes from"), rows), ""]


def _check_description(repository: dg.RepositoryDefinition, key: dg.AssetKey, name: str) -> str:
    return repository.asset_graph.get_check_spec(dg.AssetCheckKey(key, name)).description or ""


def _jobs(repository: dg.RepositoryDefinition) -> list[tuple[str, str]]:
    jobs = [one for one in repository.get_all_jobs() if not one.name.startswith(_HIDDEN_JOB)]
    return [(f"`{one.name}`", one.description or "") for one in sorted(jobs, key=lambda job: job.name)]


def _instigators(repository: dg.RepositoryDefinition) -> list[tuple[str, str, str]]:
    schedules = [
        (f"`{one.name}`", f"`{one.cron_schedule}` IST", one.description or "") for one in repository.schedule_defs
    ]
    sensors = [
        (f"`{one.name}`", f"every {one.minimum_interval_seconds or 30} s", one.description or "")
        for one in repository.sensor_defs
    ]
    return sorted([*schedules, *sensors])


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    ruled = "|".join("---" for _ in head)
    return [f"| {' | '.join(head)} |", f"|{ruled}|", *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
