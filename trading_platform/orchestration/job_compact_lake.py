"""The job that compacts the lake: the same steps as `trading-platform compact`."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from trading_platform.errors import PlatformError
from trading_platform.settings import Settings
from trading_platform.storage.lake_compaction import TableCompaction, compact_lake


class CompactConfig(dg.Config):
    """What to compact, and how long files that were replaced stay."""

    tables: list[str] = Field(default=[], description="names of the tables to compact; empty: all of the lake")
    keep_days: int | None = Field(
        default=None,
        ge=1,
        le=7,
        description="days for which replaced files stay; left out: the setting lake_keep_days",
    )
    dry_run: bool = Field(default=False, description="say what would be done, and change nothing")


def compact_lake_job(settings: Settings) -> dg.JobDefinition:
    """Return the job that compacts the lake that these settings place."""

    @dg.op(description="Put small files together, remove those that nobody can read any more.")
    def compact(context: dg.OpExecutionContext, config: CompactConfig) -> None:
        """Compact; tables that could not be fail the run, the others are done all the same."""
        keep = timedelta(days=config.keep_days or settings.lake_keep_days)
        try:
            done = compact_lake(settings.lake_dir, keep=keep, tables=config.tables, dry_run=config.dry_run)
        except PlatformError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        context.add_output_metadata(_shown(done))
        if troubles := [one.trouble for one in done if one.trouble]:
            raise dg.Failure("not compacted: " + "; ".join(troubles), allow_retries=False)

    @dg.job(name="compact_lake", description="Compacts the lake's tables and removes files replaced some days ago.")
    def compact_lake_tables() -> None:
        compact()

    return compact_lake_tables


def _shown(done: list[TableCompaction]) -> dict[str, dg.MetadataValue | int]:
    columns = ("table", "files_before", "files_after", "bytes_before", "bytes_after", "sessions", "removed", "kept")
    records = []
    for one in done:
        sizes = (one.before.files, one.after.files, one.before.bytes, one.after.bytes)
        values = (one.table, *sizes, one.compacted_sessions, one.removed_files, one.kept_files)
        records.append(dg.TableRecord(dict(zip(columns, values, strict=True))))
    return {
        "tables": dg.MetadataValue.table(records),
        "files_before": sum(one.before.files for one in done),
        "files_after": sum(one.after.files for one in done),
        "bytes_before": sum(one.before.bytes for one in done),
        "bytes_after": sum(one.after.bytes for one in done),
    }
