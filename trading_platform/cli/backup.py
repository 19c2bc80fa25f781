"""`trading-platform backup` and `restore`: a copy of everything that is proven to be one, and the way back."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from trading_platform.cli.backup_report import comparison_text, listing_text, made_text
from trading_platform.cli.console import say
from trading_platform.market.clock import Clock
from trading_platform.settings import Settings, dagster_home, load_settings
from trading_platform.storage.backup.catalogue import Listed, list_backups
from trading_platform.storage.backup.catalogue import prune as remove_old
from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.make import make_backup
from trading_platform.storage.backup.manifest import Manifest
from trading_platform.storage.backup.restore import RESTORING, restore_backup
from trading_platform.storage.backup.sources import sources_of
from trading_platform.storage.redis_manager import RedisManager

_SET_ASIDE = 3

JsonOption = Annotated[bool, typer.Option("--json", help="print the report as one line of JSON")]
DirArgument = Annotated[Path, typer.Argument(metavar="DIR", help="folder of one backup; a name is one of backup_dir")]

_GROUP_HELP = """Back up everything while it runs: journals, lake, Redis, Dagster, settings without secrets.

Without a command it makes a backup. See docs/backup.md.

Example: trading-platform backup

Exit codes: those of `backup run`.
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = typer.Typer(help=_GROUP_HELP, invoke_without_command=True, callback=_default)
    for command, name in ((run, "run"), (verify, "verify"), (list_all, "list"), (prune, "prune")):
        commands.command(name)(command)
    app.add_typer(commands, name="backup")
    app.command("restore")(restore)


def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        run()


def run(
    fresh: Annotated[bool, typer.Option("--fresh", help="copy everything; link nothing to the backup before")] = False,
    without_redis: Annotated[bool, typer.Option("--without-redis", help="leave Redis out: it is gone")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a backup while feed, engine and Dagster go on; half of one never looks like a whole one.

    Example: trading-platform backup run

    Exit codes: 0 everything is in it; 2 no backup was made; 3 it was made, and something in it is
    damaged or does not fit (each is named).
    """
    settings = load_settings()
    manager = None if without_redis else _manager(settings)
    try:
        folder, manifest = make_backup(
            sources_of(settings, manager, dagster_home()), settings.backup_dir, Clock.wall().now(), fresh=fresh
        )
    finally:
        if manager:
            manager.close()
    _say(made_text(folder, manifest), _facts(folder, manifest, list(manifest.faults)), as_json=as_json)
    _end(manifest.faults)


def verify(backup: DirArgument, as_json: JsonOption = False) -> None:
    """Read a whole backup again: sizes, sha256, rights, and every record of its journals.

    Example: trading-platform backup verify data/backups/20260820-190000

    Exit codes: 0 it is what was written; 2 it is no backup, or half of one; 3 something is damaged,
    missing, unknown or open to others (each is named).
    """
    folder = _folder(backup)
    manifest, faults = check_backup(folder)
    _say([f"{folder}: {len(manifest.files):,} files read again"], _facts(folder, manifest, faults), as_json=as_json)
    for fault in faults:
        say(fault, error=True)
    _end(faults)


def list_all(as_json: JsonOption = False) -> None:
    """List all backups, the oldest first, and say which are none; contents are not read.

    Example: trading-platform backup list

    Exit codes: 0 all are whole; 2 it could not run; 3 some are half or damaged (each is named).
    """
    listed = list_backups(load_settings().backup_dir)
    _say(listing_text(listed), {"backups": [_listed(one) for one in listed]}, as_json=as_json)
    _end([one for one in listed if not one.is_good])


def prune(as_json: JsonOption = False) -> None:
    """Remove backups that are older than TP_BACKUP_KEEP__DAYS and __WEEKS say, and those never finished.

    Example: trading-platform backup prune

    Exit codes: 0 done (each that is gone is named); 2 it could not run.
    """
    settings = load_settings()
    keep = settings.backup_keep
    gone = remove_old(settings.backup_dir, days=keep.days, weeks=keep.weeks)
    _say([f"removed {folder}" for folder in gone] or ["nothing to remove"], {"removed": gone}, as_json=as_json)


def restore(
    backup: DirArgument,
    into: Annotated[Path, typer.Option("--into", help="data folder to make; it must not exist, or be empty")],
    as_json: JsonOption = False,
) -> None:
    """Check a backup, restore it into an empty place, and compare what is there with what was stored.

    Example: trading-platform restore data/backups/20260820-190000 --into restored

    Exit codes: 0 everything compares; 2 nothing was restored; 3 something differs (each part is
    named, and what was written is left in INTO.restoring).
    """
    compared = restore_backup(_folder(backup), into, Clock.wall().now_ns())
    differs = [one for one in compared if not one.same]
    facts = {"into": None if differs else into, "parts": [{"part": one.part, "same": one.same} for one in compared]}
    _say(comparison_text(compared), facts, as_json=as_json)
    if differs:
        say(f"{len(differs)} parts differ: look at {into}{RESTORING}, and do not trust it", error=True)
    _end(differs)


def _folder(named: Path) -> Path:
    below = load_settings().backup_dir / named
    return below if not named.exists() and below.exists() else named


def _manager(settings: Settings) -> RedisManager:
    url = settings.redis_url
    return RedisManager(url.get_secret_value() if url else None, settings.valkey_dir)


def _facts(folder: Path, manifest: Manifest, faults: list[str]) -> dict[str, Any]:
    return {
        "backup": folder,
        "made_at": manifest.made_at,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "stored_bytes": manifest.stored_bytes,
        "not_included": manifest.not_included,
        "notes": manifest.notes,
        "faults": faults,
    }


def _listed(one: Listed) -> dict[str, Any]:
    made_at = one.manifest.made_at if one.manifest else None
    return {"backup": one.folder, "made_at": made_at, "good": one.is_good, "trouble": one.trouble}


def _say(lines: list[str], facts: dict[str, Any], *, as_json: bool) -> None:
    for text in [orjson.dumps(facts, default=str).decode()] if as_json else lines:
        say(text)


def _end(faults: Any) -> None:
    raise typer.Exit(_SET_ASIDE if faults else 0)
