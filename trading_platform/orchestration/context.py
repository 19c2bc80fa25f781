"""What a run is about: its sessions and the journal records that it covers, from partition and tags."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import dagster as dg

FROM_RECORD = "trading_platform/from_record"
TO_RECORD = "trading_platform/to_record"
STARTED_BY = "trading_platform/started_by"
JOB = "trading_platform/job"
"""Names the job of a run; the limits of dagster.yaml count runs by it."""

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


@dataclass(frozen=True, slots=True)
class RecordSpan:
    """The journal records after `after` up to and including `until`; None: to the end of what is written."""

    after: int
    until: int | None


def run_sessions(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """Return the sessions of the run's partition or range of partitions, ascending."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def record_span(tags: Mapping[str, str]) -> RecordSpan:
    """Return the records that a run was asked to look at; without tags all of them."""
    until = tags.get(TO_RECORD)
    return RecordSpan(int(tags.get(FROM_RECORD, "0")), None if until is None else int(until))
