"""The job that carries a legacy Redis over: the same steps as `trading-platform migrate`."""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dagster as dg
from pydantic import Field

from trading_platform.batch.dump_days import DumpDays
from trading_platform.errors import PlatformError
from trading_platform.market.clock import Clock
from trading_platform.migration.layouts import layout_named
from trading_platform.migration.reports import PlanReport, WorkReport
from trading_platform.orchestration.asset_operations import redis_carried_over
from trading_platform.orchestration.resources import KiteResource, RedisManagerResource
from trading_platform.storage.migration.context import Migration, default_folder, written_to
from trading_platform.storage.migration.planning import make_plan
from trading_platform.storage.migration.running import has_plan, run_plan
from trading_platform.storage.migration.servers import LegacyServer
from trading_platform.storage.migration.undoing import roll_back
from trading_platform.storage.migration.verifying import verify_migration


class MigrateAction(Enum):
    """What the job does."""

    plan = "plan"
    run = "run"
    verify = "verify"
    rollback = "rollback"


class LegacyLayout(Enum):
    """How the legacy system arranged its keys."""

    L3 = "L3"
    L4 = "L4"


class MigrateRedisConfig(dg.Config):
    """What to carry over from where; no field may hold a password, because runs keep their configuration."""

    action: MigrateAction = Field(
        MigrateAction.plan,
        description="plan: say what becomes of every key and write nothing but the plan; run: write what the plan "
        "takes; verify: compare every value of both sides; rollback: delete what was written and nobody changed since",
    )
    layout: LegacyLayout = Field(
        description="L3: late November 2025, databases 1 and 2; L4: December 2025, databases 0, 1 and 2"
    )
    source_url: str = Field(
        "",
        description="the legacy server, redis://user@host:port or unix:///socket, without a database and without a "
        "password; it is only read. Rollback does not need it",
    )
    password_file: str = Field("", description="file that holds the legacy server's password; empty: it has none")
    folder: str = Field("", description="where plan and ledger are; empty: migration/LAYOUT in the data folder")
    dumps_dir: str = Field(
        "", description="folder of instruments_YYYYMMDD.csv[.gz] for state keyed by token; empty: that of the platform"
    )


def migrate_redis_job(data_dir: Path) -> dg.JobDefinition:
    """Return the job; plan and ledger are below `data_dir` unless a run says otherwise."""

    @dg.op(description="Plan, run, verify or roll back the migration of a legacy Redis.")
    def migrate(
        context: dg.OpExecutionContext,
        config: MigrateRedisConfig,
        redis_manager: RedisManagerResource,
        kite: KiteResource,
    ) -> None:
        """Do one step of a migration; what differs in a verification fails the run."""
        _refuse_password(config.source_url)
        try:
            report = _work(config, redis_manager, kite, Path(data_dir))
        except PlatformError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        context.add_output_metadata({"report": dg.MetadataValue.json(report.facts()), **_counts(report)})
        context.log_event(redis_carried_over(config.action.value, {"layout": config.layout.value, **_counts(report)}))
        told = [*_lines(report), *(report.warnings if isinstance(report, PlanReport) else report.notes)]
        if config.action is MigrateAction.verify and not report.is_whole:
            raise dg.Failure("source and target differ: " + "; ".join(told), allow_retries=False)
        for line in told:
            context.log.warning(line)

    @dg.job(
        name="migrate_redis",
        description="Carries a legacy Redis over into the platform's, below `legacy:`; the source is only read.",
    )
    def migrate_redis() -> None:
        migrate()

    return migrate_redis


def _work(
    config: MigrateRedisConfig, redis_manager: RedisManagerResource, kite: KiteResource, data_dir: Path
) -> PlanReport | WorkReport:
    layout = layout_named(config.layout.value)
    folder = Path(config.folder) if config.folder else default_folder(data_dir, layout)
    manager = redis_manager.manager()
    try:
        client = manager.connect()
        if config.action is MigrateAction.rollback:
            return roll_back(client, folder, written_to(layout, client, manager.address))
        server = LegacyServer(config.source_url, Path(config.password_file) if config.password_file else None)
        dumps = DumpDays(Path(config.dumps_dir or kite.dumps_dir))
        try:
            migration = Migration(server, client, manager.address, layout, folder, dumps, Clock.wall())
            return _STEPS[config.action](migration)
        finally:
            server.close()
    finally:
        manager.close()


def _run(migration: Migration) -> WorkReport:
    if not has_plan(migration):
        make_plan(migration)
    return run_plan(migration)


_STEPS: dict[MigrateAction, Callable[[Migration], PlanReport | WorkReport]] = {
    MigrateAction.plan: make_plan,
    MigrateAction.run: _run,
    MigrateAction.verify: verify_migration,
}


def _refuse_password(url: str) -> None:
    parts = urlsplit(url)
    if parts.password or "password" in parse_qs(parts.query):
        raise dg.Failure(
            "source_url holds a password, and runs keep their configuration: take it out, change it on the server, "
            "and name a file in password_file",
            allow_retries=False,
        )


def _counts(report: PlanReport | WorkReport) -> dict[str, int]:
    if isinstance(report, WorkReport):
        return {"done": report.done.keys, "aside": report.aside.keys}
    aside = report.left.keys + report.unmatched.keys + report.collisions.keys
    return {"keys": report.keys, "taken": report.families.keys, "aside": aside}


def _lines(report: PlanReport | WorkReport) -> list[str]:
    tallies = [report.left, report.unmatched, report.collisions] if isinstance(report, PlanReport) else [report.aside]
    return [
        f"{count.keys} keys: {name}, such as {count.samples[0]!r}"
        for tally in tallies
        for name, count in tally.counts.items()
    ]
