"""Let old events go that belong to no run: observations and verdicts that sensors report, history of checks.

Dagster has no command for them. What is deleted is never the last of its kind for its asset, check and partition.
"""

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as db
from dagster import DagsterInstance
from dagster._core.instance.utils import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

_EVENTS, _CHECKS, _TAGS = SqlEventLogStorageTable, AssetCheckExecutionsTable, AssetEventTagsTable


def prune_events(instance: DagsterInstance, since: datetime) -> int:
    """Delete events without a run, and verdicts of checks, that are older than `since`; return how many there were.

    SQLite keeps the former twice, in a database of their own and in the index; they are counted once.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    moment = since.astimezone(UTC).replace(tzinfo=None)  # as Dagster writes them
    deleted = 0
    if not isinstance(storage, SqliteEventLogStorage) or Path(storage.path_for_shard(RUNLESS_RUN_ID)).exists():
        with storage.run_connection(RUNLESS_RUN_ID) as connection:
            deleted = _delete_runless(connection, moment)
    with storage.index_connection() as connection:
        deleted = max(deleted, _delete_runless(connection, moment))
        return deleted + _delete_verdicts(connection, moment)


def _delete_runless(connection: db.Connection, moment: datetime) -> int:
    last = db.select(db.func.max(_EVENTS.c.id)).group_by(
        _EVENTS.c.dagster_event_type, _EVENTS.c.asset_key, _EVENTS.c.partition
    )
    old = db.and_(_EVENTS.c.run_id == RUNLESS_RUN_ID, _EVENTS.c.timestamp < moment, _EVENTS.c.id.not_in(last))
    ids = [row[0] for row in connection.execute(db.select(_EVENTS.c.id).where(old))]
    connection.execute(_TAGS.delete().where(_TAGS.c.event_id.in_(db.select(_EVENTS.c.id).where(old))))
    connection.execute(_EVENTS.delete().where(old))
    return len(ids)


def _delete_verdicts(connection: db.Connection, moment: datetime) -> int:
    """Delete old executions of checks but the last one for each check and partition."""
    last = db.select(db.func.max(_CHECKS.c.id)).group_by(_CHECKS.c.asset_key, _CHECKS.c.check_name, _CHECKS.c.partition)
    done = connection.execute(
        _CHECKS.delete().where(db.and_(_CHECKS.c.create_timestamp < moment, _CHECKS.c.id.not_in(last)))
    )
    return int(done.rowcount)
