"""Everything that Dagster runs: assets, checks, jobs, sensors and resources of the platform."""

from functools import partial
from typing import Any

import dagster as dg

from trading_platform.orchestration import checks
from trading_platform.orchestration.asset_historical_bars import backfill_job, historical_bars, history_is_complete
from trading_platform.orchestration.asset_indicators import indicator_seeds, indicator_snapshots
from trading_platform.orchestration.asset_market_data import minute_bars
from trading_platform.orchestration.asset_operations import OPERATIONS
from trading_platform.orchestration.asset_patterns import patterns
from trading_platform.orchestration.asset_reference import instruments, subscription_universe
from trading_platform.orchestration.asset_straddles import straddle_volumes
from trading_platform.orchestration.asset_streams import STREAMS
from trading_platform.orchestration.asset_ticks import ticks, ticks_match_the_journal
from trading_platform.orchestration.asset_volume import volume_baselines
from trading_platform.orchestration.asset_volume_profiles import volume_profiles
from trading_platform.orchestration.check_backup import backup_check
from trading_platform.orchestration.check_prepared import (
    CHECK_PREPARED,
    prepared_check_schedule,
    today_is_prepared,
)
from trading_platform.orchestration.checks_baselines import BASELINE_CHECKS
from trading_platform.orchestration.freshness import with_freshness
from trading_platform.orchestration.job_backup import backup_data_job, restore_data_job
from trading_platform.orchestration.job_compact_lake import compact_lake_job
from trading_platform.orchestration.job_debug_pipeline import debug_pipeline_job
from trading_platform.orchestration.job_health import HEALTH, health_asset_check, health_check_job
from trading_platform.orchestration.job_migrate_redis import migrate_redis_job
from trading_platform.orchestration.job_prune_runs import prune_runs_job
from trading_platform.orchestration.jobs import platform_jobs
from trading_platform.orchestration.live_check import live_equals_replay
from trading_platform.orchestration.resources import platform_resources
from trading_platform.orchestration.schedules import backup_check_schedule, backup_schedule
from trading_platform.orchestration.schedules_day import day_jobs, day_schedules
from trading_platform.orchestration.schedules_guard import compact_schedule, prune_schedule
from trading_platform.orchestration.sensor_failures import run_failures_sensor
from trading_platform.orchestration.sensors import closed_bars_sensor
from trading_platform.orchestration.sensors_guard import guard_sensors
from trading_platform.settings import Settings, load_settings

ASSETS = (
    instruments,
    subscription_universe,
    historical_bars,
    ticks,
    minute_bars,
    volume_baselines,
    volume_profiles,
    straddle_volumes,
    indicator_seeds,
    indicator_snapshots,
    patterns,
)

CHECKS = (
    checks.instruments_are_sound,
    checks.universe_fits_the_sockets,
    history_is_complete,
    ticks_match_the_journal,
    checks.bars_are_sound,
    checks.baselines_are_known,
    *BASELINE_CHECKS,
    checks.profiles_are_sound,
    checks.straddles_are_sound,
    checks.seeds_are_warm,
    checks.snapshots_match_bars,
    checks.signals_are_sound,
    live_equals_replay,
)


def build_definitions(settings: Settings | None = None, **overrides: Any) -> dg.Definitions:
    """Return all definitions; `overrides` replace resources by name (lake, redis_manager, kite, journals, ...)."""
    settings_now = load_settings if settings is None else partial(_same, settings)
    settings = settings_now()
    resources = {**platform_resources(settings), **overrides}
    jobs = [
        *platform_jobs([*ASSETS, *CHECKS], resources),
        *_operation_jobs(settings),
        health_check_job(settings_now),
        *day_jobs(settings, [*ASSETS, *CHECKS], resources),
    ]
    by_name = {job.name: job for job in jobs}
    # not among CHECKS: a run that makes bars has nothing to say about backups
    backup_is_fresh = backup_check(settings.backup_dir)
    check_backups = dg.define_asset_job(
        "check_backups",
        selection=dg.AssetSelection.checks(backup_is_fresh),
        description="Judges the age of the last good backup, whether or not one was made.",
    )
    return dg.Definitions(
        assets=[*with_freshness(ASSETS), *STREAMS, *OPERATIONS, HEALTH],
        asset_checks=[*CHECKS, backup_is_fresh, today_is_prepared, health_asset_check(settings_now)],
        jobs=[*jobs, check_backups, CHECK_PREPARED, backfill_job],
        sensors=[
            closed_bars_sensor(by_name["run_patterns"]),
            run_failures_sensor(settings_now),
            *guard_sensors(settings_now),
        ],
        schedules=[
            backup_schedule(by_name["backup_data"]),
            backup_check_schedule(check_backups.name),
            prepared_check_schedule(),
            compact_schedule(by_name["compact_lake"]),
            prune_schedule(by_name["prune_runs"]),
            *day_schedules(by_name),
        ],
        resources=resources,
        executor=dg.in_process_executor,
    )


def _operation_jobs(settings: Settings) -> list[dg.JobDefinition]:
    return [
        migrate_redis_job(settings.data_dir),
        backup_data_job(settings),
        restore_data_job(settings),
        compact_lake_job(settings),
        prune_runs_job(settings),
        debug_pipeline_job(settings),
    ]


def _same(settings: Settings) -> Settings:
    return settings


defs = build_definitions()
