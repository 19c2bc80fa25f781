"""Assets of group operations: what keeps the platform safe, told by the jobs that do it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from trading_platform.batch.plots import StageLatency, latency_histogram
from trading_platform.health.snapshots import Histogram
from trading_platform.orchestration.metadata import OWNERS, picture

GROUP = "operations"

backups = dg.AssetSpec(
    "backups",
    description="Journals, lake, Redis, Dagster and settings without secrets, proven to be what was written.",
    group_name=GROUP,
    kinds={"file", "zstd"},
    owners=OWNERS,
    deps=["frames_journal", "patterns"],
    metadata={"made_by": "job backup_data, or `trading-platform backup`", "folder": "TP_BACKUP_DIR"},
)

legacy_redis = dg.AssetSpec(
    "legacy_redis",
    description="State of the system before this one, carried over below `legacy:` for comparison and the record.",
    group_name=GROUP,
    kinds={"redis"},
    owners=OWNERS,
    metadata={"made_by": "job migrate_redis, or `trading-platform migrate`"},
)

OPERATIONS = (backups, legacy_redis)


def backup_made(folder: str, facts: Mapping[str, int]) -> dg.AssetMaterialization:
    """Tell that a backup was made, with numbers that plot over time."""
    return dg.AssetMaterialization(backups.key, metadata={"folder": folder, **facts})


def redis_carried_over(action: str, facts: Mapping[str, Any]) -> dg.AssetMaterialization | dg.AssetObservation:
    """Tell what a step of a migration did; only a run writes, the others look."""
    kind = dg.AssetMaterialization if action in {"run", "rollback"} else dg.AssetObservation
    return kind(legacy_redis.key, metadata={"action": action, **facts})


def latency_picture(latency: Mapping[str, Histogram]) -> dg.MarkdownMetadataValue:
    """Show how long the frames of the running session took from the socket to each stage."""
    return picture(
        latency_histogram([StageLatency(name, one.buckets, one.p50, one.p99) for name, one in latency.items()])
    )
