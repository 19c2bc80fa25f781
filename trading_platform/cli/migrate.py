"""`trading-platform migrate`: carry a legacy Redis over, by a plan, with a ledger, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from trading_platform.batch.dump_days import DumpDays
from trading_platform.cli.console import say
from trading_platform.cli.migrate_report import plan_text, work_text
from trading_platform.market.clock import Clock
from trading_platform.migration.layouts import layout_named
from trading_platform.migration.reports import PlanReport, WorkReport
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.migration.context import Migration, default_folder, written_to
from trading_platform.storage.migration.planning import make_plan
from trading_platform.storage.migration.running import CopyBy, has_plan, run_plan
from trading_platform.storage.migration.servers import TIMEOUT_SECONDS, LegacyServer
from trading_platform.storage.migration.undoing import roll_back
from trading_platform.storage.migration.verifying import verify_migration
from trading_platform.storage.redis_manager import RedisManager

_SET_ASIDE = 3
_SHOWN_EVERY = 20_000

LayoutOption = Annotated[str, typer.Option("--layout", help="how the legacy system arranged its keys: L3 or L4")]
SourceOption = Annotated[
    str, typer.Option("--source", help="legacy server, redis://user@host:port or unix:///socket, without a database")
]
PasswordOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="file with the legacy server's password, so that no list shows it"),
]
FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="where plan and ledger are; default: migration/LAYOUT in the data folder"),
]
DumpsOption = Annotated[
    Path | None, typer.Option("--dumps", help="folder of instruments_YYYYMMDD.csv[.gz]; default: that of the platform")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print the report as one line of JSON")]

_GROUP_HELP = """Carry a legacy Redis over into the platform's, below `legacy:`.

The source is only read. `plan` says what becomes of every key, `run` does it (killed at any moment, the next run goes
on), `verify` compares every value, `rollback` deletes what was written. See docs/migrate.md.
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = typer.Typer(help=_GROUP_HELP, no_args_is_help=True)
    for command, name in ((plan, "plan"), (run, "run"), (verify, "verify"), (rollback, "rollback")):
        commands.command(name)(command)
    app.add_typer(commands, name="migrate")


def plan(
    source: SourceOption,
    layout: LayoutOption,
    password_file: PasswordOption = None,
    folder: FolderOption = None,
    dumps: DumpsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at every key of the source and say which rule takes it; nothing is written but the plan.

    Example: trading-platform migrate plan --source redis://localhost:6379 --layout L4

    Exit codes: 0 every key is taken; 2 it could not be planned; 3 keys are unmatched, left or in
    collisions (each reason is counted, with samples; the plan lists every key).
    """
    with _migration(source, layout, password_file, folder=folder, dumps=dumps) as migration:
        report = make_plan(migration)
        _show(report, plan_text(report, migration.layout), as_json=as_json)


def run(
    source: SourceOption,
    layout: LayoutOption,
    password_file: PasswordOption = None,
    folder: FolderOption = None,
    dumps: DumpsOption = None,
    by: Annotated[
        CopyBy, typer.Option("--copy", help="auto: the server's own format where both share one; type: by type always")
    ] = CopyBy.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Write what the plan takes and is not written yet; without a plan one is made first.

    Example: trading-platform migrate run --source redis://localhost:6379 --layout L4

    Exit codes: 0 every key of the plan is there; 2 it could not be carried out (run it again, it
    goes on); 3 keys were set aside, by the plan or because they changed since (each reason is
    counted, with samples).
    """
    with _migration(source, layout, password_file, folder=folder, dumps=dumps) as migration:
        if not has_plan(migration):
            make_plan(migration)
        report = run_plan(migration, by=by, progress=_Progress())
        _show(report, work_text(report), as_json=as_json)


def verify(
    source: SourceOption,
    layout: LayoutOption,
    password_file: PasswordOption = None,
    folder: FolderOption = None,
    dumps: DumpsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every value and lifetime of both sides, read anew to the last byte; nothing is written.

    Example: trading-platform migrate verify --source redis://localhost:6379 --layout L4

    Exit codes: 0 all that was planned is there and equal; 2 it could not be compared; 3 something
    differs (each kind is counted, with samples).
    """
    with _migration(source, layout, password_file, folder=folder, dumps=dumps) as migration:
        report = verify_migration(migration)
        _show(report, work_text(report), as_json=as_json)


def rollback(layout: LayoutOption, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Delete exactly what the ledger says was written and nobody changed since; the source is not needed.

    Example: trading-platform migrate rollback --layout L4

    Exit codes: 0 nothing of it is left; 2 it could not be done; 3 keys were changed since and stay
    (they are counted, with samples).
    """
    settings = load_settings()
    found = layout_named(layout)
    with _target(settings) as (manager, client):
        place = folder or default_folder(settings.data_dir, found)
        report = roll_back(client, place, written_to(found, client, manager.address))
        _show(report, work_text(report), as_json=as_json)


class _Progress:
    def __init__(self) -> None:
        self._next = _SHOWN_EVERY

    def __call__(self, done: int, total: int) -> None:
        """Tell people now and then that it goes on."""
        if done >= self._next:
            say(f"{done:,} of {total:,}", error=True)
            self._next += _SHOWN_EVERY


@contextmanager
def _migration(
    source: str, layout: str, password_file: Path | None, *, folder: Path | None, dumps: Path | None
) -> Iterator[Migration]:
    settings = load_settings()
    found = layout_named(layout)
    server = LegacyServer(source, password_file)
    try:
        with _target(settings) as (manager, client):
            place = folder or default_folder(settings.data_dir, found)
            day_of = DumpDays(dumps or settings.dumps_dir)
            yield Migration(server, client, manager.address, found, place, day_of, Clock.wall())
    finally:
        server.close()


@contextmanager
def _target(settings: Settings) -> Iterator[tuple[RedisManager, Any]]:
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    manager = RedisManager(url, settings.valkey_dir, timeout_seconds=TIMEOUT_SECONDS)
    try:
        yield manager, manager.connect()
    finally:
        manager.close()


def _show(report: PlanReport | WorkReport, text: str, *, as_json: bool) -> None:
    say(orjson.dumps(report.facts()).decode() if as_json else text)
    raise typer.Exit(0 if report.is_whole else _SET_ASIDE)
