"""The jobs that back up, restore, and judge the age of the last backup: the same steps as the commands."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from trading_platform.errors import PlatformError
from trading_platform.market.clock import Clock
from trading_platform.orchestration.asset_operations import backup_made
from trading_platform.orchestration.resources import RedisManagerResource
from trading_platform.settings import Settings, dagster_home
from trading_platform.storage.backup.catalogue import prune
from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.make import make_backup
from trading_platform.storage.backup.restore import restore_backup
from trading_platform.storage.backup.sources import sources_of


class BackupConfig(dg.Config):
    """How to back up; where to, and how many are kept, are settings."""

    fresh: bool = Field(default=False, description="copy everything, link nothing to the backup before")
    without_redis: bool = Field(default=False, description="leave Redis out, for when it is gone")
    verify: bool = Field(default=True, description="read everything again afterwards")
    prune: bool = Field(default=True, description="then remove backups that retention lets go")


class RestoreConfig(dg.Config):
    """What to restore where."""

    backup: str = Field(description="name of a backup in the folder of backups, or the path of one")
    into: str = Field(description="data folder to make; it must not exist, or be empty")


def backup_data_job(settings: Settings) -> dg.JobDefinition:
    """Return the job that backs up what these settings place."""

    @dg.op(description="Back everything up, read it again, let old backups go.")
    def back_up(context: dg.OpExecutionContext, config: BackupConfig, redis_manager: RedisManagerResource) -> None:
        """Make a backup; what is damaged in it fails the run, for the backup stands all the same."""
        try:
            faults = back_up_now(context, settings, config, redis_manager)
        except PlatformError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        if faults:
            raise dg.Failure("the backup was made, but: " + "; ".join(faults), allow_retries=False)

    @dg.job(name="backup_data", description="Backs up journals, lake, Redis, Dagster and settings without secrets.")
    def backup_data() -> None:
        back_up()

    return backup_data


def restore_data_job(settings: Settings) -> dg.JobDefinition:
    """Return the job that restores into an empty place."""

    @dg.op(description="Check a backup, restore it into an empty place, compare.")
    def put_back(context: dg.OpExecutionContext, config: RestoreConfig) -> None:
        """Restore; what does not compare fails the run."""
        folder = settings.backup_dir / config.backup
        try:
            compared = restore_backup(folder, Path(config.into), Clock.wall().now_ns())
        except PlatformError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for one in compared:
            context.log.info("%s: %s in the backup, %s restored", one.part, one.backup, one.restored)
        differs = [f"{one.part}: {one.backup} became {one.restored}" for one in compared if not one.same]
        context.add_output_metadata({"parts": len(compared), "different": len(differs), "into": config.into})
        if differs:
            raise dg.Failure("what was restored differs: " + "; ".join(differs), allow_retries=False)

    @dg.job(name="restore_data", description="Restores a backup into an empty place and compares digests.")
    def restore_data() -> None:
        put_back()

    return restore_data


def back_up_now(
    context: dg.OpExecutionContext, settings: Settings, config: BackupConfig, redis_manager: RedisManagerResource
) -> list[str]:
    """Make a backup and read it again; return what is damaged in it."""
    manager = None if config.without_redis else redis_manager.manager()
    root = settings.backup_dir
    try:
        sources = sources_of(settings, manager, dagster_home())
        folder, manifest = make_backup(sources, root, Clock.wall().now(), fresh=config.fresh)
    finally:
        if manager:
            manager.close()
    changed = check_backup(folder)[1] if config.verify else []
    keep = settings.backup_keep
    removed = prune(root, days=keep.days, weeks=keep.weeks) if config.prune and not changed else []
    faults = [*manifest.faults, *changed]
    for note in manifest.notes:
        context.log.warning(note)
    sizes = {"bytes": manifest.bytes, "stored_bytes": manifest.stored_bytes}
    counts = {"files": len(manifest.files), "removed": len(removed), "faults": len(faults)}
    context.add_output_metadata({"backup": str(folder), **sizes, **counts})
    context.log_event(backup_made(str(folder), {**sizes, **counts}))
    return faults
